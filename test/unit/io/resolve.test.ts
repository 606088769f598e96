import { describe, expect, test } from 'vitest';
import { CancelledError } from '../../../src/base/errors.js';
import { connect, listen } from '../../../src/io/open.js';
import { resolveOn } from '../../../src/io/resolve.js';
import type { EventLoop } from '../../../src/event-loop.js';
import { FakeSystem } from '../../support/fake-system.js';
import { forms, outcome } from '../../support/forms.js';
import { soon } from '../../support/loop.js';
import { NetServer, until, withEventLoop } from '../../support/net.js';

type Family = 0 | 4 | 6;

/** What resolveOn() says. */
function resolved(loop: EventLoop, host: string, family: Family = 0): { said: unknown[]; stop: () => void } {
  const said: unknown[] = [];
  const say = (value: unknown): void => void said.push(value);
  return { said, stop: resolveOn(loop, host, say, say, family) };
}

test('getaddrinfo / getnameinfo: a numeric host skips the pool in connect() and listen() as well', () =>
  withEventLoop(
    async (loop) => {
      const system = new FakeSystem(loop);
      expect(resolved(loop, '127.0.0.1').said).toEqual([['127.0.0.1']]);
      expect(resolved(loop, '::1', 6).said).toEqual([['::1']]);
      expect(resolved(loop, '::1', 4).said).toMatchObject([{ code: 'EAI_ADDRFAMILY', hostname: '::1' }]);
      const server = await listen(async () => undefined, { host: '127.0.0.1' });
      const stream = await connect({ host: '127.0.0.1', port: server.port });
      stream.abort();
      await stream.closed;
      await server.close();
      expect(system.asked).toEqual([]);
    },
    {
      resolver: {
        getAddrInfo: () => {
          throw new Error('asked');
        },
      },
    },
  ));

test('the system is asked for streams, and each address is given once', () =>
  withEventLoop(async (loop) => {
    const system = new FakeSystem(loop);
    const { said } = resolved(loop, 'name.test', 4);
    expect(system.asked).toEqual([['name.test', null, 4, 1, 0, 0]]);
    system.find('name.test', '192.0.2.1', '192.0.2.2', '192.0.2.1');
    await soon(loop);
    await soon(loop);
    expect(said).toEqual([['192.0.2.1', '192.0.2.2']]);
  }));

describe.each(forms)('in a $name', ({ call }) => {
  test.each([
    ['connect', () => connect({ host: 'name.test', port: 1 })],
    ['listen', () => listen(async () => undefined, { host: 'name.test' })],
  ])('cancelling %s() gives the look-up up, which then holds nothing alive', (_, open) =>
    withEventLoop(async (loop) => {
      const system = new FakeSystem(loop);
      const opening = call<unknown>(open);
      await until('it is looked up', () => system.pending === 1);
      expect(loop.statistics().references).toBe(1);
      opening.cancel();
      expect(await outcome(opening)).toBeInstanceOf(CancelledError);
      expect(system.dropped).toEqual([1]);
      expect(loop.statistics().references).toBe(0);
    }),
  );

  test('pluggable resolver: used by connect() and listen()', async () => {
    const asked: unknown[] = [];
    const resolver = {
      getAddrInfo: async (host: string, options: { family: Family }) => {
        asked.push([host, options]);
        await Promise.resolve();
        return [{ address: '127.0.0.1' }];
      },
    };
    await withEventLoop(
      async (loop) => {
        const system = new FakeSystem(loop);
        const server = await call(() => listen(async () => undefined, { host: 'server.test' }));
        expect(server.addresses).toMatchObject([{ address: '127.0.0.1' }]);
        const stream = await call(() => connect({ host: 'client.test', port: server.port }));
        expect(asked).toEqual([
          ['server.test', { family: 0 }],
          ['client.test', { family: 0 }],
        ]);
        expect(system.asked).toEqual([]);
        stream.abort();
        await stream.closed;
        await server.close();
      },
      { resolver },
    );
  });
});

describe('pluggable resolver:', () => {
  const withResolver = (
    getAddrInfo: (host: string, options: { family: Family }) => unknown,
    body: (loop: EventLoop) => Promise<void>,
  ): Promise<void> => withEventLoop(body, { resolver: { getAddrInfo: getAddrInfo as never } });

  test('it may answer with what the system knows', () =>
    withResolver(
      (host, { family }) =>
        host === 'alias.test' ? loopOf().getAddrInfo('real.test', null, { family }) : [],
      async (loop) => {
        current = loop;
        const system = new FakeSystem(loop);
        const { said } = resolved(loop, 'alias.test');
        await until('the system is asked', () => system.pending === 1);
        system.find('real.test', '::1', '127.0.0.1');
        await until('it is answered', () => said.length > 0);
        expect(said).toEqual([['::1', '127.0.0.1']]);
      },
    ));

  test('addresses of the other family are left out', () =>
    withResolver(
      () => Promise.resolve([{ address: '::1' }, { address: '127.0.0.1' }]),
      async (loop) => {
        const { said } = resolved(loop, 'name.test', 4);
        await until('it is answered', () => said.length > 0);
        expect(said).toEqual([['127.0.0.1']]);
      },
    ));

  test.each<[string, () => unknown, object]>([
    ['no address', () => Promise.resolve([]), { code: 'ENOTFOUND', hostname: 'name.test' }],
    ['a rejection', () => Promise.reject(new Error('broken')), { message: 'broken' }],
    [
      'an exception',
      () => {
        throw new Error('broken');
      },
      { message: 'broken' },
    ],
    ['no array', () => Promise.resolve('127.0.0.1'), { code: 'ERR_INVALID_RETURN_VALUE' }],
    ['a name', () => Promise.resolve([{ address: 'name' }]), { code: 'ERR_INVALID_RETURN_VALUE' }],
    ['text', () => Promise.resolve(['127.0.0.1']), { code: 'ERR_INVALID_RETURN_VALUE' }],
    ['nothing', () => Promise.resolve([undefined]), { code: 'ERR_INVALID_RETURN_VALUE' }],
  ])('%s is an error of whoever connects', (_, getAddrInfo, error) =>
    withResolver(getAddrInfo, async () => {
      expect(await outcome(connect({ host: 'name.test', port: 1 }))).toMatchObject(error);
    }),
  );

  test('cancelling connect() cancels it, and what it says then is not heard', async () => {
    const events: string[] = [];
    await withResolver(
      async () => {
        try {
          await loopOf().createFuture();
        } catch (error) {
          events.push((error as Error).name);
          throw error;
        }
      },
      async (loop) => {
        current = loop;
        const opening = connect({ host: 'name.test', port: 1 });
        await until('it is asked', () => loop.allTasks().size === 1);
        await soon(loop);
        opening.cancel();
        expect(await outcome(opening)).toBeInstanceOf(CancelledError);
        await until('it has ended', () => loop.allTasks().size === 0);
        expect(events).toEqual(['CancelledError']);
      },
    );
  });

  test('a real connection, by way of the resolver and the system', () =>
    withResolver(
      () => loopOf().getAddrInfo('localhost', null, { family: 4, type: 'stream' }),
      async (loop) => {
        current = loop;
        const server = await NetServer.open();
        const stream = await connect({ host: 'name.test', port: server.port });
        expect(stream.info.peer?.address).toBe('127.0.0.1');
        stream.abort();
        await stream.closed;
        await server.close();
      },
    ));

  let current: EventLoop | null = null;
  const loopOf = (): EventLoop => current!;
});
