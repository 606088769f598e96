// Compiles the addon under AddressSanitizer and UBSan and runs the smoke test with it, so that reads past
// a buffer, use after free and leaks at exit are seen in the process that users run.
//
// Linux only: the sanitizer's runtime is preloaded into Node. Exit code 1 when a check failed.
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BACKENDS } from './lib/backends.mjs';
import { Checks } from './lib/checks.mjs';
import { findNodeDirectory } from './lib/node-directory.mjs';
import { run, tool } from './lib/run.mjs';
import { withStaging } from './lib/staging.mjs';

const FLAGS = '-fsanitize=address,undefined -fno-sanitize-recover=all -g';
const checks = new Checks();
const directory = mkdtempSync(path.join(tmpdir(), 'evloop-asan-'));

try {
  const isBuilt = await withStaging(async (staging) => {
    const nodeDirectory = findNodeDirectory();
    const args = ['rebuild', '--release', ...(nodeDirectory === null ? [] : [`--nodedir=${nodeDirectory}`])];
    const env = { CXXFLAGS: FLAGS, LDFLAGS: FLAGS };
    const result = await run(tool('node-gyp'), args, { cwd: staging, env, isQuiet: true });
    if (result.code !== 0) return false;
    const release = path.join('build', 'Release');
    mkdirSync(path.join(directory, release), { recursive: true });
    cpSync(path.join(staging, release, 'evloop.node'), path.join(directory, release, 'evloop.node'));
    return true;
  });
  if (checks.check('the addon compiles with sanitizers', isBuilt)) {
    const runtime = await run('g++', ['-print-file-name=libasan.so'], { isQuiet: true });
    for (const env of BACKENDS) {
      const result = await run('node', ['test/smoke.mjs'], {
        isQuiet: true,
        timeoutMs: 120_000,
        env: {
          ...env,
          // The addon is taken from here instead of from the package.
          EVLOOP_PREBUILD: directory,
          LD_PRELOAD: realpathSync(runtime.stdout.trim()),
          ASAN_OPTIONS: 'detect_leaks=1',
          UBSAN_OPTIONS: 'print_stacktrace=1',
        },
      });
      checks.check(
        `smoke test under sanitizers, ${env.EVLOOP_BACKEND}, ${env.EVLOOP_HOST}`,
        result.code === 0,
      );
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
checks.end();
