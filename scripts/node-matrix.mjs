// Runs the smoke test on other versions of Node, on Bun and on Deno, with the addon that this Node's headers
// gave: on every backend and host, where a runtime has both hosts.
//
// Exit code 1 when a check failed.
import { BACKENDS } from './lib/backends.mjs';
import { Checks } from './lib/checks.mjs';
import { OTHER_MAJORS, installNode } from './lib/other-nodes.mjs';
import { run } from './lib/run.mjs';
import { bunBinary, denoBinary } from './lib/runtimes.mjs';

const SMOKE = 'test/smoke.mjs';
const onThread = BACKENDS.filter(({ EVLOOP_HOST }) => EVLOOP_HOST === 'thread');

/** @type {{ name: string, install: () => Promise<string | null>, args: string[], backends: Record<string, string>[] }[]} */
const runtimes = [
  ...OTHER_MAJORS.map((major) => ({
    name: `Node ${major}`,
    install: () => installNode(major),
    args: [SMOKE],
    backends: BACKENDS,
  })),
  // Without EVLOOP_HOST they have to find out themselves that theirs is the thread.
  { name: 'Bun', install: bunBinary, args: [SMOKE], backends: [{ EVLOOP_BACKEND: 'epoll' }, ...onThread] },
  {
    name: 'Deno',
    install: denoBinary,
    args: ['run', '--allow-all', SMOKE],
    backends: [{ EVLOOP_BACKEND: 'epoll' }, ...onThread],
  },
];

const checks = new Checks();
for (const { name, install, args, backends } of runtimes) {
  const binary = await install();
  if (!checks.check(`${name} is installed`, binary !== null) || binary === null) continue;
  for (const env of backends) {
    const result = await run(binary, args, { env, isQuiet: true, timeoutMs: 60_000 });
    checks.check(`smoke test on ${name}, ${Object.values(env).join(', ')}`, result.code === 0);
  }
}
checks.end();
