// Programs on node:net that have to behave the same with plain Node and with `evloop/register`.
import { expect } from 'vitest';
import { runChild } from './child.js';
import { distUrl } from './dist.js';

/**
 * Runs `body` twice, with plain Node and on evloop. It finds `net` and `print()`. Both runs have to end by themselves, say
 * nothing on standard error and print the same lines, which are returned.
 */
export async function runBoth(body: string, env: Record<string, string> = {}): Promise<string[]> {
  const program = `
    import net from 'node:net';
    const lines = [];
    const print = (line) => lines.push(String(line));
    process.on('exit', () => process.stdout.write(lines.join('\\n')));
    ${body}`;
  const [plain, moved] = await Promise.all(
    [[], ['--import', distUrl('register')]].map((nodeArgs) =>
      runChild(program, { modules: [], nodeArgs, env }),
    ),
  );
  expect(plain).toMatchObject({ code: 0, stderr: '' });
  expect(moved).toEqual(plain);
  return moved!.stdout.split('\n');
}
