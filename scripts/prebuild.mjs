// Compiles the addon for this platform into prebuilds/, the form in which the package carries it.
//
// Run by `npm run prebuilds`. Node-API is stable across versions, so one binary serves every Node >= 20.
// Exit code: prebuildify's.
import process from 'node:process';
import { findNodeDirectory } from './lib/node-directory.mjs';
import { root, run, tool } from './lib/run.mjs';
import { withStaging } from './lib/staging.mjs';

// prebuildify empties build/ and moves the addon away, so it works on a copy.
const result = await withStaging((directory) => {
  const nodeDirectory = findNodeDirectory();
  /** @type {Record<string, string>} */
  const env = nodeDirectory === null ? {} : { npm_config_nodedir: nodeDirectory };
  const target = `--target=${process.versions.node}`;
  const args = ['--napi', '--strip', '--tag-libc', target, `--cwd=${directory}`, `--out=${root}`];
  return run(tool('prebuildify'), args, { cwd: directory, env, isQuiet: true });
});
if (result.code === 0) console.log(`prebuilds/${process.platform}-${process.arch} is written`);
process.exitCode = result.code;
