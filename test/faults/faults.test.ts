// System calls of the engine that fail, by strace(1): what comes of each error, and that everything else goes on.
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { distUrl } from '../support/dist.js';
import { cases, pollCases, type FaultCase } from './cases.js';

const PROGRAM = fileURLToPath(new URL('program.mjs', import.meta.url));
const TABLE = fileURLToPath(new URL('../../docs/faults.md', import.meta.url));
// A loop with nothing to do takes no turns; some may be on their way.
const IDLE_TURNS = 10;

const HEADER = `# When a system call fails

<!-- Written by test/faults/faults.test.ts; \`npx vitest run test/faults -u\` writes it anew. -->

What becomes of an error of the kernel, as the tests see it: strace(1) makes the call fail, and a program looks what happens to
whoever asked for it. After each of them the loop serves its other connections, holds no socket or descriptor more than before, and
is idle. *It* is the error itself. One that the kernel gives several times in a row has that number behind it.

`;

interface Health {
  isAlive: boolean;
  sockets: number;
  descriptors: number;
  turns: number;
}

/** A program that does what it is told, see program.mjs. */
class Victim {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(env: Record<string, string>) {
    this.#child = spawn(process.execPath, [PROGRAM, distUrl('index')], {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async tell<T>(order: string): Promise<T> {
    this.#child.stdin.write(`${order}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`The program has ended, told to ${order}`);
    return JSON.parse(value) as T;
  }

  /** Makes calls fail until the function that it gives is called. */
  async trap(call: string, error: string, times: number): Promise<() => Promise<void>> {
    const injection = `inject=${call}:error=${error}:when=1..${String(times)}`;
    const where = ['-o', '/dev/null', '-p', String(this.#child.pid)];
    const strace = spawn('strace', ['-e', `trace=${call}`, '-e', injection, ...where], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const closed = once(strace, 'close');
    let said = '';
    for await (const text of strace.stderr) {
      said += String(text);
      if (said.includes('attached')) break;
    }
    if (!said.includes('attached')) throw new Error(`strace cannot be used here: ${said}`);
    return async () => {
      strace.kill('SIGINT');
      await closed;
    };
  }

  async end(): Promise<void> {
    const closed = once(this.#child, 'close');
    this.#child.stdin.end();
    expect(await closed).toEqual([0, null]);
  }
}

async function outcomeOf(
  victim: Victim,
  { call, operation, times = 1 }: FaultCase,
  error: string,
): Promise<string> {
  expect(await victim.tell(operation)).toBe('ready');
  const release = await victim.trap(call, error, times);
  const outcome = await victim.tell<string>('begin');
  await release();
  const health = await victim.tell<Health>('end');
  // A close() that strace keeps from the kernel leaves its descriptor behind.
  const descriptors = call === 'close' ? health.descriptors - 1 : health.descriptors;
  expect({ ...health, descriptors, turns: 0 }).toEqual({
    isAlive: true,
    sockets: 0,
    descriptors: 0,
    turns: 0,
  });
  expect(health.turns).toBeLessThanOrEqual(IDLE_TURNS);
  return outcome;
}

const outcomes = new Map<string, Map<string, string[]>>();

/** Errors with the same outcome share a row. */
function note(
  title: string,
  { call, operation, times = 1 }: FaultCase,
  error: string,
  outcome: string,
): void {
  const rows = outcomes.get(title) ?? new Map<string, string[]>();
  outcomes.set(title, rows);
  // Node has one name for two that are the same number.
  const told = outcome.replaceAll(error === 'EOPNOTSUPP' ? 'ENOTSUP' : error, 'it');
  const key = `| ${call} | ${operation} | % | ${told} |`;
  const name = times === 1 ? error : `${error} x ${String(times)}`;
  rows.set(key, [...(rows.get(key) ?? []), name]);
}

function tables(): string {
  const sections = [...outcomes].map(([title, rows]) => {
    const lines = [...rows].map(([key, errors]) => key.replace('%', errors.join(', ')));
    return [`## ${title}\n`, '| call | while | error | outcome |', '|---|---|---|---|', ...lines].join('\n');
  });
  return `${HEADER}${sections.join('\n\n')}\n`;
}

describe.each([
  ['epoll, in the loop of Node', { EVLOOP_BACKEND: 'epoll', EVLOOP_HOST: 'uv' }, cases],
  ['poll, with a thread', { EVLOOP_BACKEND: 'poll', EVLOOP_HOST: 'thread' }, pollCases],
])('%s', (title, env, list) => {
  let victim: Victim;

  beforeAll(() => {
    victim = new Victim(env);
  });

  afterAll(async () => {
    await victim.end();
  });

  const all = list.flatMap((one) =>
    one.errors.map((error) => [one.call, error, one.operation, one] as const),
  );

  test.each(all)('%s fails with %s while it is told to %s', async (_, error, __, one) => {
    const outcome = await outcomeOf(victim, one, error);
    expect(outcome).not.toMatch(/nobody|nothing|null|undefined|does not know/);
    note(title, one, error, outcome);
  });
});

test('docs/faults.md says what has come of it', async () => {
  await expect(tables()).toMatchFileSnapshot(TABLE);
});
