import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { CancelledError } from '../../../src/base/errors.js';
import { ExceptionGroup } from '../../../src/base/exception-group.js';
import { connect, listen, streamPair } from '../../../src/io/open.js';
import { requestScope, type Requester } from '../../../src/io/request-scope.js';
import type { Stream } from '../../../src/io/stream.js';
import type { Awaitable } from '../../../src/task/awaitable.js';
import type { Body } from '../../../src/task/body.js';
import { createTask } from '../../../src/task/current.js';
import { sleep } from '../../../src/task/sleep.js';
import type { TaskGroup } from '../../../src/task/task-group.js';
import type { Task } from '../../../src/task/task.js';
import { nodeTurn } from '../../support/loop.js';
import { netConnect, until, withEventLoop } from '../../support/net.js';

const HOST = '127.0.0.1';
const LONG_MS = 60_000;

type Call = (requester: Requester, body: Body<[TaskGroup], unknown>) => Task<unknown>;
const callers: Record<string, Call> = {
  'generator task': (requester, body) =>
    createTask(function* () {
      return yield* requestScope(requester, body);
    }),
  'async task': (requester, body) => createTask(async () => await requestScope(requester, body)),
};

// Notes what becomes of the body, which waits twice, and of a task of the group.
const waits: Record<string, (notes: unknown[]) => Body<[TaskGroup], unknown>> = {
  'generator body': (notes) =>
    function* (group) {
      group.createTask(noting(notes, 'task'));
      try {
        yield* sleep(LONG_MS);
      } catch (error) {
        notes.push(['body', reasonOf(error)]);
      }
      yield* sleep(LONG_MS);
      return 'never';
    },
  'async body': (notes) => async (group) => {
    group.createTask(noting(notes, 'task'));
    try {
      await sleep(LONG_MS);
    } catch (error) {
      notes.push(['body', reasonOf(error)]);
    }
    await sleep(LONG_MS);
    return 'never';
  },
};

function noting(notes: unknown[], name: string): () => Generator<unknown, void> {
  return function* () {
    try {
      yield* sleep(LONG_MS);
    } catch (error) {
      notes.push([name, reasonOf(error)]);
      throw error;
    }
  };
}

function reasonOf(error: unknown): unknown {
  return ((error as CancelledError).reason as NodeJS.ErrnoException).code;
}

const CANCELLED = expect.arrayContaining([
  ['body', 'ECONNRESET'],
  ['task', 'ECONNRESET'],
]) as unknown;

describe.each(Object.keys(callers))('request scope: in a %s', (caller) => {
  const call = callers[caller]!;

  test.each(Object.keys(waits))('a connection that breaks cancels the tasks and the %s', (form) =>
    withEventLoop(async () => {
      const handled: Task<unknown>[] = [];
      const notes: unknown[] = [];
      const server = await listen(
        async (stream) => {
          handled.push(call(stream, waits[form]!(notes)));
          await handled[0];
        },
        { host: HOST },
      );
      const peer = await netConnect(server.port);
      await until('the request is handled', () => handled.length > 0);
      await nodeTurn();
      peer.resetAndDestroy();
      expect(await handled[0]).toBeUndefined();
      expect(notes).toHaveLength(2);
      expect(notes).toEqual(CANCELLED);
      await server.close();
    }),
  );

  test.each(Object.keys(waits))('a response whose client is gone cancels the tasks and the %s', (form) =>
    withEventLoop(async () => {
      const handled: Task<unknown>[] = [];
      const notes: unknown[] = [];
      const server = http.createServer((request, response) => {
        request.resume();
        // The request itself closes as soon as it is read: that must not count.
        request.once('close', () => handled.push(call(response, waits[form]!(notes))));
      });
      await once(server.listen(0, HOST), 'listening');
      const { port } = server.address() as AddressInfo;
      const peer = await netConnect(port);
      peer.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
      await until('the request is handled', () => handled.length > 0);
      await nodeTurn();
      expect(notes).toEqual([]);
      peer.resetAndDestroy();
      expect(await handled[0]).toBeUndefined();
      expect(notes).toHaveLength(2);
      expect(notes).toEqual(CANCELLED);
      server.close();
    }),
  );

  test('what ends before the connection is what it gives', () =>
    withEventLoop(async () => {
      const [client, server] = streamPair();
      const task = call(server, async (group) => {
        const part = group.createTask(async () => await sleep(1, 'part'));
        return [await part, server.isClosing()];
      });
      expect(await task).toEqual(['part', false]);
      // Nothing is held for a stream that lives on.
      client.abort();
      server.abort();
      await server.closed;
    }));
});

describe('request scope: both forms', () => {
  test('a connection that was closed before cancels the first wait', () =>
    withEventLoop(async () => {
      const [client, server] = streamPair();
      client.abort();
      await server.closed;
      const writable = new PassThrough().destroy();
      for (const requester of [server, writable]) {
        const notes: unknown[] = [];
        expect(await requestScope(requester, waits['async body']!(notes))).toBeUndefined();
        expect(notes).toContainEqual(['body', 'ECONNRESET']);
      }
    }));

  test('the error that broke a Writable is the reason', () =>
    withEventLoop(async () => {
      const writable = new PassThrough().on('error', () => undefined);
      const error = new Error('broken');
      const reasons: unknown[] = [];
      await requestScope(writable, async () => {
        writable.destroy(error);
        try {
          await sleep(LONG_MS);
        } catch (cancelled) {
          reasons.push((cancelled as CancelledError).reason);
        }
      });
      expect(reasons).toEqual([error]);
    }));

  test('a peer that has ended its side still gets the answer', () =>
    withEventLoop(async () => {
      const server = await listen(
        async (stream) => {
          await requestScope(stream, async () => {
            expect(String(await stream.read())).toBe('request');
            expect((await stream.read()).length).toBe(0);
            await sleep(1);
            stream.write('answer');
          });
        },
        { host: HOST },
      );
      const client = await connect({ host: HOST, port: server.port });
      client.write('request');
      client.closeWrite();
      expect(String(await client.read())).toBe('answer');
      await client.close();
      await server.close();
    }));

  test('a whole response, and the next one of a kept connection, are left alone', () =>
    withEventLoop(async () => {
      const results: unknown[] = [];
      const listeners: number[] = [];
      const handle = async (response: http.ServerResponse): Promise<void> => {
        const before = response.listenerCount('close');
        results.push(
          await requestScope(response, async () => {
            response.end('whole');
            await once(response, 'close');
            await sleep(1);
            return 'through';
          }),
        );
        listeners.push(response.listenerCount('close') - before);
      };
      const server = http.createServer((_, response) => void handle(response));
      await once(server.listen(0, HOST), 'listening');
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      const { port } = server.address() as AddressInfo;
      for (let i = 0; i < 2; i++) {
        const [response] = (await once(http.get({ port, host: HOST, agent }), 'response')) as [
          http.IncomingMessage,
        ];
        await once(response.resume(), 'close');
      }
      await until('both are handled', () => results.length === 2);
      expect(results).toEqual(['through', 'through']);
      expect(listeners).toEqual([0, 0]);
      agent.destroy();
      server.close();
    }));

  test('a stream of HTTP/2 that is reset cancels its request alone', () =>
    withEventLoop(async () => {
      const results: Record<string, unknown> = {};
      let isSecondFree = (): void => undefined;
      const second = new Promise<void>((resolve) => (isSecondFree = resolve));
      const handle = async (url: string, response: http2.Http2ServerResponse): Promise<void> => {
        results[url] = 'begun';
        results[url] = await requestScope(response, async () => {
          await (url === '/reset' ? sleep(LONG_MS) : second);
          return 'through';
        });
        if (url === '/other') response.end();
      };
      const server = http2.createServer(({ url }, response) => void handle(url, response));
      await once(server.listen(0, HOST), 'listening');
      const session = http2.connect(`http://${HOST}:${String((server.address() as AddressInfo).port)}`);
      const [reset, other] = ['/reset', '/other'].map((url) =>
        session.request({ ':path': url }).on('error', () => undefined),
      );
      await until('both have begun', () => Object.keys(results).length === 2);
      reset!.close(http2.constants.NGHTTP2_CANCEL);
      await until('it is cancelled', () => results['/reset'] !== 'begun');
      expect(results).toEqual({ '/reset': undefined, '/other': 'begun' });
      isSecondFree();
      await once(other!.resume(), 'close');
      expect(results['/other']).toBe('through');
      session.close();
      server.close();
    }));

  test('errors are those of a group, also after the connection broke', () =>
    withEventLoop(async () => {
      const [client, server] = streamPair();
      const error = new Error('while it cleans up');
      const body = async (): Promise<void> => {
        client.abort();
        try {
          await sleep(LONG_MS);
        } catch {
          throw error;
        }
      };
      const failure: unknown = await Promise.resolve(requestScope(server, body)).catch((e: unknown) => e);
      expect(failure).toBeInstanceOf(ExceptionGroup);
      expect((failure as ExceptionGroup).errors).toEqual([error]);
    }));

  test('a cancellation from outside goes on', () =>
    withEventLoop(async () => {
      const [client, server] = streamPair();
      const task = createTask(async () => await requestScope(server, async () => await sleep(LONG_MS)));
      await nodeTurn();
      task.cancel();
      await expect(Promise.resolve(task)).rejects.toBeInstanceOf(CancelledError);
      client.abort();
      await server.closed;
    }));

  test('it gives what the body does, or undefined', () => {
    const use = (stream: Stream): Awaitable<number | undefined> =>
      requestScope(stream, async () => await sleep(1, 1));
    expectTypeOf(use).returns.toEqualTypeOf<Awaitable<number | undefined>>();
    // @ts-expect-error - a request of Node closes as soon as it is read
    expectTypeOf((request: http.IncomingMessage) => requestScope(request, () => sleep(1))).toBeFunction();
  });
});
