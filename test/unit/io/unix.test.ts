// Unix sockets: paths, abstract names, and the files that sockets leave.
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { CancelledError } from '../../../src/base/errors.js';
import type { ExceptionContext } from '../../../src/core/exception.js';
import type { EventLoop } from '../../../src/event-loop.js';
import { connect, listen } from '../../../src/io/open.js';
import type { Protocol, Transport } from '../../../src/io/protocol.js';
import type { Server } from '../../../src/io/server.js';
import type { Stream } from '../../../src/io/stream.js';
import { abi } from '../../../src/native/abi.js';
import { SOCKET_UNIX } from '../../../src/native/binding.js';
import { forms, outcome } from '../../support/forms.js';
import { descriptorCount, pattern, until, withEventLoop } from '../../support/net.js';

const folder = mkdtempSync(path.join(tmpdir(), 'evloop-unix-'));
let count = 0;
let file = '';

beforeEach(() => {
  file = path.join(folder, `socket-${String(count++)}`);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function* echo(stream: Stream): Generator<unknown, void> {
  for (;;) {
    const chunk = yield* stream.read();
    if (chunk.length === 0) return;
    stream.write(chunk);
    yield* stream.drain();
  }
}

/** A file as a server leaves it that was killed. */
async function leaveStaleFile(): Promise<void> {
  const server = net.createServer().listen(`${file}-before`);
  await once(server, 'listening');
  renameSync(`${file}-before`, file);
  server.close();
  await once(server, 'close');
}

function catchReports(loop: EventLoop): ExceptionContext[] {
  const reports: ExceptionContext[] = [];
  loop.setExceptionHandler((_, context) => reports.push(context));
  return reports;
}

describe.each(forms)('Unix sockets: in a $name', ({ call }) => {
  test.each([
    ['a path', () => file],
    ['an abstract name', () => `\0${file}\0é`],
  ])('%s can be listened on and connected to', (_, name) =>
    withEventLoop(async () => {
      const server = await call(() => listen(echo, { path: name() }));
      const stream = await call(() => connect({ path: name() }));
      expect(server.addresses).toEqual([{ family: 'Unix', path: name() }]);
      expect(server.port).toBe(0);
      expect(inspect(server)).toContain(inspect(name()));
      const bytes = pattern(1_000_000);
      stream.write(bytes);
      stream.closeWrite();
      expect((await call(() => stream.read(-1))).equals(bytes)).toBe(true);
      await stream.close();
      expect(stream.info).toEqual({
        local: { family: 'Unix', path: '' },
        peer: { family: 'Unix', path: name() },
      });
      await server.close();
      expect(server.addresses.length).toBe(1);
      expect(existsSync(file)).toBe(false);
    }),
  );

  test('where nobody listens connecting fails with the path in the error', () =>
    withEventLoop(async (loop) => {
      const before = descriptorCount();
      const missing = await outcome(call(() => connect({ path: file })));
      expect(missing).toMatchObject({ code: 'ENOENT', syscall: 'connect', address: file });
      expect(missing).not.toHaveProperty('port');
      expect((missing as Error).message).toContain(`connect ENOENT ${file}:`);
      await leaveStaleFile();
      expect(await outcome(call(() => connect({ path: file })))).toMatchObject({ code: 'ECONNREFUSED' });
      expect(await outcome(call(() => connect({ path: `\0${file}` })))).toMatchObject({
        code: 'ECONNREFUSED',
      });
      expect(descriptorCount()).toBe(before);
      expect(loop.statistics()).toMatchObject({ sockets: 0, references: 0 });
    }));

  test('a name takes 107 bytes, whatever its characters are', () =>
    withEventLoop(async () => {
      const fits = `${folder}/${'x'.repeat(106 - folder.length)}`;
      for (const name of [fits, `\0${fits}`]) {
        const server = await call(() => listen(echo, { path: name }));
        const stream = await call(() => connect({ path: name }));
        expect(stream.info.peer).toEqual({ family: 'Unix', path: name });
        stream.abort();
        await stream.closed;
        await server.close();
      }
      const long = [`${fits}x`, `\0${fits}x`, `${fits.slice(0, -1)}é`, `${folder}/${'é'.repeat(500)}`];
      for (const name of long) {
        const error = { code: 'ENAMETOOLONG', address: name };
        expect(await outcome(call(() => listen(echo, { path: name })))).toMatchObject(error);
        expect(await outcome(call(() => connect({ path: name })))).toMatchObject(error);
      }
    }));

  test('cancelling right after the call leaves neither a socket nor a file', () =>
    withEventLoop(async (loop) => {
      const before = descriptorCount();
      const listening = listen(echo, { path: file });
      listening.cancel();
      await outcome(listening);
      expect(existsSync(file)).toBe(false);
      const server = await call(() => listen(echo, { path: file }));
      const connecting = connect({ path: file });
      connecting.cancel();
      await outcome(connecting);
      await until('the connection is gone', () => server.connectionCount === 0);
      await server.close();
      await until('all is closed', () => descriptorCount() === before);
      expect(loop.statistics().references).toBe(0);
    }));
});

describe.each(forms)('Unix sockets: while too many connections wait, connecting in a $name', ({ call }) => {
  test('waits for room', () =>
    withEventLoop(async (loop) => {
      const server = net.createServer().listen({ path: file, backlog: 1 });
      await once(server, 'listening');
      const connecting = Array.from({ length: 9 }, () => call(() => connect({ path: file })));
      for (const stream of await Promise.all(connecting)) {
        stream.abort();
        await stream.closed;
      }
      expect(loop.statistics().timers).toBe(0);
      server.close();
      await once(server, 'close');
    }));

  test('can be cancelled', () =>
    withEventLoop(async (loop) => {
      // It is listened on, and nobody accepts.
      const slot = loop._native.listen(file, 0, SOCKET_UNIX, 0, 1);
      const generation = loop._rings.control[abi.CTL_RESULT_GENERATION]!;
      const streams = [await call(() => connect({ path: file })), await call(() => connect({ path: file }))];
      const waiting = call(() => connect({ path: file }));
      await until('it waits', () => loop.statistics().timers === 1);
      waiting.cancel();
      expect(await outcome(waiting)).toBeInstanceOf(CancelledError);
      expect(loop.statistics()).toMatchObject({ timers: 0, sockets: 3 });
      for (const stream of streams) {
        stream.abort();
        await stream.closed;
      }
      loop._rings.submit(abi.OP_CLOSE, slot, generation, 0, 0);
    }));
});

describe('Unix sockets: a file', () => {
  test('that a dead server has left is replaced', () =>
    withEventLoop(async () => {
      await leaveStaleFile();
      const server = await listen(echo, { path: file });
      (await connect({ path: file })).abort();
      server.abortClients();
      await server.close();
    }));

  test('of a server that is alive stays, and the server does not suffer', () =>
    withEventLoop(async () => {
      const first = await listen(echo, { path: file });
      const before = descriptorCount();
      const error = await outcome(listen(echo, { path: file }));
      expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'listen', address: file });
      await until(
        'what looked at it is gone',
        () => first.connectionCount === 0 && descriptorCount() === before,
      );
      const stream = await connect({ path: file });
      stream.write('alive');
      expect(String(await stream.read())).toBe('alive');
      await stream.close();
      await first.close();
    }));

  test.each([
    ['a regular file', () => writeFileSync(file, 'precious')],
    ['a folder', () => mkdirSync(file)],
    ['a link to nothing', () => symlinkSync(`${file}-nothing`, file)],
    [
      'a link to a stale socket',
      async () => {
        await leaveStaleFile();
        renameSync(file, `${file}-target`);
        symlinkSync(`${file}-target`, file);
      },
    ],
  ])('that is %s is never removed', (_, make) =>
    withEventLoop(async () => {
      await Promise.resolve(make());
      const before = lstatSync(file).ino;
      expect(await outcome(listen(echo, { path: file }))).toMatchObject({ code: 'EADDRINUSE' });
      expect(lstatSync(file).ino).toBe(before);
    }),
  );

  test('is removed when the server closes, unless it is no longer that of the server', () =>
    withEventLoop(async () => {
      const gone = await listen(echo, { path: file });
      rmSync(file);
      await gone.close();

      const replaced = await listen(echo, { path: file });
      rmSync(file);
      const heir = await listen(echo, { path: file });
      await replaced.close();
      expect(existsSync(file)).toBe(true);
      (await connect({ path: file })).abort();
      heir.abortClients();
      await heir.close();
      expect(existsSync(file)).toBe(false);

      const covered = await listen(echo, { path: file });
      rmSync(file);
      writeFileSync(file, 'precious');
      await covered.close();
      expect(lstatSync(file).isFile()).toBe(true);
    }));

  test('of a relative path is removed also from another directory', () =>
    withEventLoop(async () => {
      const directory = process.cwd();
      let server: Server | undefined;
      try {
        process.chdir(folder);
        server = await listen(echo, { path: path.basename(file) });
      } finally {
        process.chdir(directory);
      }
      expect(existsSync(file)).toBe(true);
      await server.close();
      expect(existsSync(file)).toBe(false);
    }));

  test('that cannot be removed is reported, and the server closes all the same', () =>
    withEventLoop(async (loop) => {
      const reports = catchReports(loop);
      const inner = path.join(folder, 'locked');
      mkdirSync(inner);
      const server = await listen(echo, { path: path.join(inner, 'socket') });
      // The name leads elsewhere by now: looking at it fails.
      renameSync(inner, `${inner}-before`);
      writeFileSync(inner, '');
      await server.close();
      expect(reports).toMatchObject([
        { message: 'The file of a Unix socket cannot be removed', exception: { code: 'ENOTDIR' }, server },
      ]);
    }));

  test('is removed when the loop is closed under the server', async () => {
    let server: Server | undefined;
    await withEventLoop(async (loop) => {
      server = await listen(echo, { path: file });
      expect(existsSync(file)).toBe(true);
      loop.stop();
      while (loop.isRunning()) await new Promise(setImmediate);
      loop.close();
    });
    expect(server?.isServing()).toBe(true);
    expect(existsSync(file)).toBe(false);
  });

  test('in a folder that is missing is an error', () =>
    withEventLoop(async () => {
      const name = path.join(folder, 'none', 'socket');
      expect(await outcome(listen(echo, { path: name }))).toMatchObject({
        code: 'ENOENT',
        syscall: 'listen',
      });
    }));
});

test('Unix sockets: protocols are connected and served as well', () =>
  withEventLoop(async (loop) => {
    const seen: string[] = [];
    class Upper implements Protocol {
      #transport!: Transport;
      connectionMade(transport: Transport): void {
        this.#transport = transport;
        seen.push(String(transport.info.local?.path));
      }
      dataReceived(data: Uint8Array): void {
        this.#transport.write(String(data).toUpperCase());
      }
    }
    const server = await loop.createServer(() => new Upper(), { path: file });
    const answered = loop.createFuture<string>();
    const [transport] = await loop.createConnection(
      () => ({ dataReceived: (data: Uint8Array) => answered.setResult(String(data)) }),
      { path: file },
    );
    transport.write('shout');
    expect(await answered).toBe('SHOUT');
    expect(seen).toEqual([file]);
    expect(transport.info.peer).toEqual({ family: 'Unix', path: file });
    transport.close();
    await server.close();
  }));

test('Unix sockets: a client without a name has an empty path', () =>
  withEventLoop(async () => {
    let peer: unknown;
    const server = await listen(
      function* (stream) {
        peer = stream.info.peer;
        yield* stream.read();
      },
      { path: file },
    );
    const client = net.connect(file);
    await once(client, 'connect');
    await until('it is served', () => peer !== undefined);
    expect(peer).toEqual({ family: 'Unix', path: '' });
    client.end();
    await server.close();
  }));

test('Unix sockets: options of TCP fail on them', () =>
  withEventLoop(async () => {
    const server = await listen(echo, { path: file });
    const stream = await connect({ path: file });
    expect(() => stream.setNoDelay(true)).toThrow(
      expect.objectContaining({ syscall: 'setsockopt' }) as Error,
    );
    await stream.close();
    await server.close();
  }));
