// Runs the prebuilt addons of other platforms than this one: arm64 in an emulator, and musl in a runtime that
// was linked with it.
//
// Needs the Debian packages qemu-user-static, libstdc++6-arm64-cross and musl. Exit code 1 when a check failed.
import { existsSync } from 'node:fs';
import { BACKENDS } from './lib/backends.mjs';
import { Checks } from './lib/checks.mjs';
import { fileOf, TARGETS } from './lib/prebuild-targets.mjs';
import { muslRuntimeFor } from './lib/musl-runtime.mjs';
import { run } from './lib/run.mjs';
import { bunForMusl, nodeForArm64 } from './lib/runtimes.mjs';

const ARM64_LIBRARIES = '/usr/aarch64-linux-gnu';
const SMOKE = 'test/smoke.mjs';

const checks = new Checks();

/**
 * @param {string} what
 * @param {string} command
 * @param {string[]} args
 * @param {Record<string, string>} env
 */
async function smoke(what, command, args, env) {
  // The addon of the checkout is that of this platform: it does not load there.
  const options = { env, isQuiet: true, isSilent: true, timeoutMs: 120_000 };
  const { code, stdout, output } = await run(command, args, options);
  const version = /on Node (v\S+)/.exec(stdout)?.[1] ?? '';
  checks.check(`${what} ${version}`.trimEnd(), code === 0, output.slice(0, 2000));
}

async function checkArm64() {
  if (!checks.check('the emulator of arm64 is there', existsSync(`${ARM64_LIBRARIES}/lib/libstdc++.so.6`))) {
    return;
  }
  for (const major of [20, 22]) {
    const node = await nodeForArm64(major);
    if (!checks.check(`Node ${major} for arm64 is there`, node !== null) || node === null) continue;
    for (const env of BACKENDS) {
      const what = `linux-arm64-glibc, ${env.EVLOOP_BACKEND}, ${env.EVLOOP_HOST}: smoke test in qemu, Node`;
      await smoke(what, 'qemu-aarch64-static', ['-L', ARM64_LIBRARIES, node, SMOKE], env);
    }
  }
}

async function checkMusl() {
  const bun = await bunForMusl();
  if (!checks.check('Bun for musl is there', bun !== null) || bun === null) return;
  const libraries = await muslRuntimeFor(bun);
  if (!checks.check('it has the libraries it needs', libraries !== null) || libraries === null) return;
  const env = { LD_LIBRARY_PATH: libraries };
  for (const backend of ['epoll', 'poll']) {
    const what = `linux-x64-musl, ${backend}, thread: smoke test in Bun, as Node`;
    await smoke(what, bun, [SMOKE], { ...env, EVLOOP_BACKEND: backend });
  }
  const glibc = TARGETS.find(({ platform, arch, libc }) => `${platform}${arch}${libc}` === 'linuxx64glibc');
  const load = `require(${JSON.stringify(glibc === undefined ? '' : `./${fileOf(glibc)}`)})`;
  const refused = await run(bun, ['--eval', load], { env, isQuiet: true, isSilent: true });
  checks.check('that runtime refuses the addon for glibc, so it is one of musl', refused.code !== 0);
}

await checkArm64();
await checkMusl();
checks.end();
