import { expect, it } from 'vitest';
import { runChild } from '../../support/child.js';
import { distUrl } from '../../support/dist.js';

const program = new URL('../../support/cluster.mjs', import.meta.url).href;

it('workers of a cluster serve what the primary process listens for', async () => {
  const { code, stdout, stderr } = await runChild(`await import(${JSON.stringify(program)});`, {
    modules: [],
    // Workers take it over from the environment only.
    env: { NODE_OPTIONS: `--import ${distUrl('register')}` },
  });
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'served by a worker\n', stderr: '' });
});
