// Runs the smoke test on other Node versions with the addon that this Node's headers gave, on every
// backend and host.
//
// The versions come from npm as packages that hold the plain node binary; they are installed into
// build/node-matrix and kept. Exit code 1 when a check failed.
import { BACKENDS } from './lib/backends.mjs';
import { Checks } from './lib/checks.mjs';
import { OTHER_MAJORS, installNode } from './lib/other-nodes.mjs';
import { run } from './lib/run.mjs';

const checks = new Checks();

for (const major of OTHER_MAJORS) {
  const binary = await installNode(major);
  if (!checks.check(`Node ${major} is installed`, binary !== null) || binary === null) continue;
  for (const env of BACKENDS) {
    const result = await run(binary, ['test/smoke.mjs'], { env, isQuiet: true, timeoutMs: 60_000 });
    checks.check(`smoke test on Node ${major}, ${env.EVLOOP_BACKEND}, ${env.EVLOOP_HOST}`, result.code === 0);
  }
}
checks.end();
