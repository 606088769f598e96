// Runs the tests of I/O on the kqueue backend, over the emulation of its system calls.
//
// Exit code 1 when a check failed.
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Checks } from './lib/checks.mjs';
import { root, run, tool } from './lib/run.mjs';

// The first counts descriptors, and the emulation keeps some of a queue that was closed. The other expects
// datagrams in batches.
const LEFT_OUT = ['happy-eyeballs.test.ts', 'udp.test.ts'];

const checks = new Checks();
const directory = path.join(root, 'build', 'kqueue');

function build() {
  /** @type {Record<string, string[]>} */
  const lists = JSON.parse(readFileSync(path.join(root, 'native', 'sources.json'), 'utf8'));
  // What the tests of that poller are made of takes the place of this system's.
  const emulated = (lists['kqueueTest'] ?? []).filter((file) => !/_test\.cc$|main\.cc$/.test(file));
  const replaced = /poller_(?:linux|epoll)|waker_eventfd|datagram_linux/;
  const linux = (lists['linux'] ?? []).filter((file) => !replaced.test(file));
  const sources = [...(lists['common'] ?? []), ...(lists['node'] ?? []), ...linux, ...emulated];
  const flags = ['-std=c++17', '-O1', '-fPIC', '-fno-exceptions', '-fno-rtti', '-DNAPI_VERSION=8'];
  const headers = createRequire(import.meta.url)('node-api-headers').include_dir;
  const includes = ['-iquote', 'native', '-I', '.', '-I', 'native/test/kqueue', '-isystem', headers];
  const output = path.join(directory, 'build', 'Release', 'evloop.node');
  mkdirSync(path.dirname(output), { recursive: true });
  const link = ['-shared', '-Wl,-z,nodelete', '-o', output];
  return run('g++', [...flags, ...includes, ...sources, ...link], { isQuiet: true });
}

const built = await build();
if (checks.check('the addon compiles with the emulation', built.code === 0)) {
  for (const host of ['uv', 'thread']) {
    const env = { EVLOOP_PREBUILD: directory, EVLOOP_BACKEND: 'kqueue', EVLOOP_HOST: host };
    const smoke = await run('node', ['test/smoke.mjs'], { env, isQuiet: true, timeoutMs: 60_000 });
    checks.check(`smoke test, kqueue, ${host}`, smoke.code === 0);
  }
  const env = { EVLOOP_PREBUILD: directory, EVLOOP_BACKEND: 'kqueue', EVLOOP_HOST: 'uv' };
  const args = ['run', 'test/unit/io', ...LEFT_OUT.map((file) => `--exclude=test/unit/io/${file}`)];
  const tests = await run(tool('vitest'), args, { env, isQuiet: true });
  checks.check('test/unit/io, kqueue, uv', tests.code === 0);
}
checks.end();
