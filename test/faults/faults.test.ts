// System calls of the engine that fail, by strace(1): what comes of each error, and that everything else goes on.
import { execFileSync, spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { distUrl } from '../support/dist.js';
import { cases, partialCases, pollCases, threadCases, type FaultCase } from './cases.js';

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

const PARTIAL_HEADER = `## One byte or message at a time

The calls go through, on every poller, but each moves only a byte of a stream, or one datagram.

| call | while | outcome |
|---|---|---|
`;

const directory = mkdtempSync(path.join(tmpdir(), 'evloop-faults-'));
const PIPE = path.join(directory, 'pipe');
const LOG = path.join(directory, 'log');
const PARTIAL = path.join(directory, 'partial.node');

beforeAll(() => {
  execFileSync('mkfifo', [PIPE]);
  const headers = (createRequire(import.meta.url)('node-api-headers') as { include_dir: string }).include_dir;
  const source = fileURLToPath(new URL('partial.c', import.meta.url));
  const flags = [
    '-shared',
    '-fPIC',
    '-O1',
    '-D_GNU_SOURCE',
    '-DNODE_GYP_MODULE_NAME=partial',
    `-I${headers}`,
  ];
  execFileSync('cc', [...flags, source, '-o', PARTIAL]);
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

const ADDON = fileURLToPath(new URL('../../build/Release/evloop.node', import.meta.url));
// What the calls of the libc are to the kernel, where they are named otherwise.
const CALLS_OF: Record<string, string> = {
  eventfd: 'eventfd2',
  fcntl64: 'fcntl',
  fstat64: 'newfstatat',
  lseek64: 'lseek',
  pthread_create: 'clone3',
  recv: 'recvfrom',
  send: 'sendto',
  sendfile64: 'sendfile',
};
// Those that make none, none that fails, or many that are the libc's; memory that cannot be had is for the native tests.
const NO_CALLS = new Set(
  `calloc clock_gettime dlsym free freeaddrinfo getaddrinfo getnameinfo if_indextoname if_nametoindex inet_ntop inet_pton
   malloc memchr memcmp memcpy memmove memset mmap64 munmap pthread_cond_clockwait pthread_detach pthread_join
   pthread_mutex_lock pthread_mutex_unlock realloc sched_yield snprintf strchr strlen strnlen strtoul`.split(
    /\s+/,
  ),
);

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

  constructor(env: Record<string, string>, partial?: string) {
    const preload = partial === undefined ? {} : { LD_PRELOAD: partial };
    const args = [PROGRAM, distUrl('index'), ...(partial === undefined ? [] : [partial])];
    this.#child = spawn(process.execPath, args, {
      env: { ...process.env, ...env, ...preload, EVLOOP_FAULTS_PIPE: PIPE },
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
  async trap({ call, times = 1, inThreads, ofPipe }: FaultCase, error: string): Promise<() => Promise<void>> {
    const injection = `inject=${call}:error=${error}:when=1..${String(times)}`;
    const where = ['-o', LOG, '-p', String(this.#child.pid)];
    if (inThreads) where.push('-f');
    if (ofPipe) where.push('-P', PIPE);
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

async function outcomeOf(victim: Victim, one: FaultCase, error: string): Promise<string> {
  expect(await victim.tell(one.operation)).toBe('ready');
  const release = await victim.trap(one, error);
  const outcome = await victim.tell<string>('begin');
  await release();
  expect(readFileSync(LOG, 'utf8')).toContain('(INJECTED)');
  await expectHealth(victim, one.call);
  return outcome;
}

async function expectHealth(victim: Victim, call: string): Promise<void> {
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
}

const outcomes = new Map<string, Map<string, string[]>>();
const partialOutcomes = new Map<string, Set<string>>();

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
  const partial = partialCases.map(([call, operation]) => {
    const found = [...(partialOutcomes.get(`${call} | ${operation}`) ?? [])];
    return `| ${call} | ${operation} | ${found.join('; ')} |\n`;
  });
  return `${HEADER}${sections.join('\n\n')}\n\n${PARTIAL_HEADER}${partial.join('')}`;
}

describe.each([
  ['epoll, in the loop of Node', { EVLOOP_BACKEND: 'epoll', EVLOOP_HOST: 'uv' }, cases],
  ['epoll, with a thread', { EVLOOP_BACKEND: 'epoll', EVLOOP_HOST: 'thread' }, threadCases],
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

describe.each([
  ['epoll', 'uv'],
  ['epoll', 'thread'],
  ['poll', 'thread'],
])('%s, host %s, one byte or message at a time', (backend, host) => {
  let victim: Victim;

  beforeAll(() => {
    victim = new Victim({ EVLOOP_BACKEND: backend, EVLOOP_HOST: host }, PARTIAL);
  });

  afterAll(async () => {
    await victim.end();
  });

  test.each(partialCases)('%s, while it is told to %s', async (call, operation) => {
    expect(await victim.tell(operation)).toBe('ready');
    const [outcome, transfers] = await victim.tell<[string, number]>(`begin ${call}`);
    await expectHealth(victim, call);
    expect(outcome).toMatch(/^all (bytes|datagrams) arrive$/);
    expect(transfers).toBeGreaterThan(0);
    const key = `${call} | ${operation}`;
    partialOutcomes.set(key, (partialOutcomes.get(key) ?? new Set()).add(outcome));
  });
});

test('every call that the engine makes is made to fail', () => {
  const symbols = execFileSync('nm', ['--dynamic', '--undefined-only', ADDON], { encoding: 'utf8' });
  const names = [...symbols.matchAll(/ U ([a-z]\w*)/g)].map(([, name]) => name!);
  const made = names.filter((name) => !name.startsWith('napi_') && !NO_CALLS.has(name));
  const tried = new Set([...cases, ...threadCases, ...pollCases].map(({ call }) => call));
  expect(made.length).toBeGreaterThan(20);
  expect(made.filter((name) => !tried.has(CALLS_OF[name] ?? name))).toEqual([]);
});

test('docs/faults.md says what has come of it', async () => {
  await expect(tables()).toMatchFileSnapshot(TABLE);
});
