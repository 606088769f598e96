// Several addresses of one host: which are tried, when, and what is left of those that do not win.
import os from 'node:os';
import { describe, expect, test } from 'vitest';
import { CancelledError } from '../../../src/base/errors.js';
import { ExceptionGroup } from '../../../src/base/exception-group.js';
import type { CompletionTarget } from '../../../src/core/loop.js';
import type { Resolver } from '../../../src/core/resolver.js';
import type { EventLoop } from '../../../src/event-loop.js';
import type { TcpConnectOptions } from '../../../src/io/connect-options.js';
import { connect } from '../../../src/io/open.js';
import type { Stream } from '../../../src/io/stream.js';
import { abi } from '../../../src/native/abi.js';
import type { NativeLoop } from '../../../src/native/binding.js';
import { FakeClock } from '../../support/clock.js';
import { forms, outcome } from '../../support/forms.js';
import { soon } from '../../support/loop.js';
import { NetServer, descriptorCount, until, withEventLoop } from '../../support/net.js';

const HOST = 'several.test';
const LIVE = '127.0.0.1';
const hosts = new Map<string, string[]>();

/** Knows the hosts of these tests. */
const resolver: Resolver = {
  getAddrInfo: async (host) => (hosts.get(host) ?? []).map((address) => ({ address })),
};

/** Sees each attempt, and can hold its end back or refuse it. */
class Network {
  /** In the order of the attempts. */
  readonly tried: string[] = [];
  /** Addresses whose attempts do not end before they are released. */
  readonly slow = new Set<string>();
  /** Addresses that the system has no route to. */
  readonly unreachable = new Set<string>();
  readonly #held = new Map<string, () => void>();
  readonly #loop: EventLoop;

  constructor(loop: EventLoop) {
    this.#loop = loop;
    const attach = loop._attach.bind(loop);
    const begin = loop._native.connect.bind(loop._native);
    let address = '';
    const connectTo: NativeLoop['connect'] = (host, ...rest) => {
      address = host;
      this.tried.push(host);
      return this.unreachable.has(host) ? -os.constants.errno.ENETUNREACH : begin(host, ...rest);
    };
    Object.assign(loop, {
      _native: Object.create(loop._native, { connect: { value: connectTo } }) as NativeLoop,
    });
    loop._attach = (index, target) => {
      if (this.slow.has(address)) this.#holdBack(address, target);
      attach(index, target);
    };
  }

  #holdBack(address: string, target: CompletionTarget): void {
    const complete = target.complete.bind(target);
    target.complete = (kind, ...rest) => {
      if (kind === abi.CQ_CONNECT) this.#held.set(address, () => complete(kind, ...rest));
      else complete(kind, ...rest);
    };
  }

  /** Lets an attempt end, as the kernel has said by then. */
  async release(address: string): Promise<void> {
    await until(`${address} ends`, () => this.#held.has(address));
    this.#loop.callSoon(this.#held.get(address)!);
    await soon(this.#loop);
    await soon(this.#loop);
  }
}

interface Scene {
  loop: EventLoop;
  clock: FakeClock;
  network: Network;
  server: NetServer;
  /** Options for the host, which has these addresses. */
  to(addresses: string[], options?: Partial<TcpConnectOptions>): TcpConnectOptions;
}

/** A server at 127.0.0.1 only: the other addresses of 127.0.0.0/8 refuse. The clock stands still. */
async function withScene(body: (scene: Scene) => Promise<void>): Promise<void> {
  const before = descriptorCount();
  const clock = new FakeClock();
  await withEventLoop(
    async (loop) => {
      const server = await NetServer.open();
      const open = descriptorCount();
      await body({
        loop,
        clock,
        server,
        network: new Network(loop),
        to: (addresses, options = {}) => {
          hosts.set(HOST, addresses);
          return { host: HOST, port: server.port, ...options };
        },
      });
      await until('every descriptor is closed', () => descriptorCount() === open);
      await server.close();
    },
    { clock, resolver },
  );
  await until('the loop is closed', () => descriptorCount() <= before);
}

async function finish(stream: Stream): Promise<void> {
  stream.abort();
  await stream.closed;
}

describe.each(forms)('happy eyeballs: connect() in a $name', ({ call }) => {
  test('an address that refuses is followed by the next at once', () =>
    withScene(async ({ loop, network, to }) => {
      const stream = await call(() => connect(to(['127.0.0.2', '127.0.0.3', LIVE])));
      expect(network.tried).toEqual(['127.0.0.2', '127.0.0.3', LIVE]);
      expect(stream.info.peer?.address).toBe(LIVE);
      expect(loop.statistics()).toMatchObject({ timers: 0, sockets: 1 });
      await finish(stream);
    }));

  test('an address without a route is followed by the next in the same call', () =>
    withScene(async ({ loop, network, to }) => {
      network.unreachable.add('::2').add('::3');
      const stream = await call(() => connect(to(['::2', '::3', LIVE], { happyEyeballsDelay: Infinity })));
      expect(network.tried).toEqual(['::2', LIVE]);
      expect(loop.statistics().timers).toBe(0);
      await finish(stream);
    }));

  test('a silent address gets company after the delay, and loses its socket to the winner', () =>
    withScene(async ({ loop, clock, network, to }) => {
      network.slow.add('127.0.0.2').add(LIVE);
      const connecting = call(() => connect(to(['127.0.0.2', LIVE, '127.0.0.3'])));
      await until('the first attempt', () => network.tried.length === 1);
      await clock.advance(loop, 249);
      expect(network.tried).toEqual(['127.0.0.2']);
      await clock.advance(loop, 1);
      expect(network.tried).toEqual(['127.0.0.2', LIVE]);
      expect(loop.statistics()).toMatchObject({ sockets: 2, timers: 1 });
      await network.release(LIVE);
      const stream = await connecting;
      expect(stream.info.peer?.address).toBe(LIVE);
      await until('the loser is closed', () => loop.statistics().sockets === 1);
      expect(loop.statistics().timers).toBe(0);
      expect(network.tried.length).toBe(2);
      await finish(stream);
    }));

  test('a silent IPv6 address holds up a slow IPv4 address by no more than the delay', () =>
    withScene(async ({ loop, clock, network, to }) => {
      network.slow.add('::1').add(LIVE).add('127.0.0.3');
      const connecting = call(() => connect(to(['::1', LIVE, '127.0.0.3'])));
      await until('the first attempt', () => network.tried.length === 1);
      await clock.advance(loop, 250);
      await clock.advance(loop, 250);
      expect(network.tried).toEqual(['::1', LIVE, '127.0.0.3']);
      // The last address has no timer behind it.
      expect(loop.statistics()).toMatchObject({ sockets: 3, timers: 0 });
      await clock.advance(loop, 150);
      await network.release(LIVE);
      const stream = await connecting;
      expect(loop.time()).toBe(650);
      expect(stream.info.peer?.address).toBe(LIVE);
      await until('the losers are closed', () => loop.statistics().sockets === 1);
      await finish(stream);
    }));

  test('a failure begins the next attempt only when it is that of the last one', () =>
    withScene(async ({ loop, clock, network, to }) => {
      network.slow.add('127.0.0.2').add('127.0.0.3').add('127.0.0.4');
      const addresses = ['127.0.0.2', '127.0.0.3', '127.0.0.4', LIVE];
      const connecting = call(() => connect(to(addresses, { happyEyeballsDelay: 100 })));
      await until('the first attempt', () => network.tried.length === 1);
      await clock.advance(loop, 100);
      expect(network.tried.length).toBe(2);
      await network.release('127.0.0.2');
      expect(network.tried.length).toBe(2);
      await clock.advance(loop, 99);
      await network.release('127.0.0.3');
      expect(network.tried.length).toBe(3);
      // The delay counts from the last start.
      await clock.advance(loop, 99);
      expect(network.tried.length).toBe(3);
      await clock.advance(loop, 1);
      const stream = await connecting;
      expect(network.tried).toEqual(addresses);
      await finish(stream);
    }));

  test('family leaves out the addresses of the other one', () =>
    withScene(async ({ network, to }) => {
      const stream = await call(() => connect(to(['::1', '::2', LIVE], { family: 4 })));
      expect(network.tried).toEqual([LIVE]);
      await finish(stream);
      for (const options of [to([LIVE], { family: 6 }), { host: LIVE, port: 1, family: 6 } as const]) {
        expect(await outcome(call(() => connect(options)))).toMatchObject({ syscall: 'getaddrinfo' });
      }
      expect(network.tried).toEqual([LIVE]);
    }));

  test('localAddress leaves out the addresses of the other family', () =>
    withScene(async ({ network, to }) => {
      const localAddress = '127.0.0.7';
      const stream = await call(() => connect(to(['::1', LIVE, '::2'], { localAddress })));
      expect(network.tried).toEqual([LIVE]);
      expect(stream.info.local?.address).toBe(localAddress);
      await finish(stream);
      const options = { host: '::1', port: 1, localAddress };
      const error = { code: 'EAI_ADDRFAMILY', syscall: 'getaddrinfo', hostname: '::1' };
      expect(await outcome(call(() => connect(options)))).toMatchObject(error);
      expect(network.tried).toEqual([LIVE]);
    }));

  test('a delay of Infinity tries one after the other', () =>
    withScene(async ({ loop, clock, network, to }) => {
      network.slow.add('127.0.0.2');
      const connecting = call(() => connect(to(['127.0.0.2', LIVE], { happyEyeballsDelay: Infinity })));
      await until('the first attempt', () => network.tried.length === 1);
      await clock.advance(loop, 1e9);
      expect(network.tried.length).toBe(1);
      await network.release('127.0.0.2');
      await finish(await connecting);
    }));

  test('a delay of 0 leaves a turn to each attempt, and no more', () =>
    withScene(async ({ loop, network, to }) => {
      const addresses = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];
      for (const address of addresses) network.slow.add(address);
      const connecting = call(() => connect(to(addresses, { happyEyeballsDelay: 0 })));
      await until('all attempts', () => network.tried.length === 3);
      expect(loop.statistics()).toMatchObject({ sockets: 3, timers: 0 });
      for (const address of addresses) await network.release(address);
      expect(await outcome(connecting)).toMatchObject({ code: 'ECONNREFUSED' });
    }));

  test('cancelling ends every attempt and the timer', () =>
    withScene(async ({ loop, clock, network, to }) => {
      network.slow.add('127.0.0.2').add(LIVE);
      const connecting = call(() => connect(to(['127.0.0.2', LIVE, '127.0.0.3'])));
      await until('the first attempt', () => network.tried.length === 1);
      await clock.advance(loop, 250);
      expect(loop.statistics()).toMatchObject({ sockets: 2, timers: 1 });
      connecting.cancel();
      expect(await outcome(connecting)).toBeInstanceOf(CancelledError);
      await until('the sockets are closed', () => loop.statistics().sockets === 0);
      expect(loop.statistics()).toMatchObject({ timers: 0, references: 0 });
      await clock.advance(loop, 1000);
      expect(network.tried.length).toBe(2);
    }));

  test('when all fail the errors are combined in the order of the addresses', () =>
    withScene(async ({ loop, clock, network, to }) => {
      network.slow.add('127.0.0.2');
      network.unreachable.add('127.0.0.3');
      const connecting = call(() => connect(to(['127.0.0.2', '127.0.0.3', '127.0.0.4'])));
      await until('the first attempt', () => network.tried.length === 1);
      await clock.advance(loop, 250);
      await until('the third attempt has failed', () => loop.statistics().sockets === 1);
      await network.release('127.0.0.2');
      const error = (await outcome(connecting)) as AggregateError & { code: string };
      expect(error).toBeInstanceOf(AggregateError);
      expect(error).not.toBeInstanceOf(ExceptionGroup);
      expect(error.code).toBe('ECONNREFUSED');
      expect(error.errors).toMatchObject([
        { code: 'ECONNREFUSED', address: '127.0.0.2' },
        { code: 'ENETUNREACH', address: '127.0.0.3' },
        { code: 'ECONNREFUSED', address: '127.0.0.4' },
      ]);
    }));

  test('with allErrors there is a group of all errors, also of one', () =>
    withScene(async ({ loop, clock, network, to }) => {
      network.slow.add('127.0.0.2');
      const connecting = call(() => connect(to(['127.0.0.2', '127.0.0.3'], { allErrors: true })));
      await until('the first attempt', () => network.tried.length === 1);
      await clock.advance(loop, 250);
      await until('the second attempt has failed', () => loop.statistics().sockets === 1);
      await network.release('127.0.0.2');
      const error = await outcome(connecting);
      expect(error).toBeInstanceOf(ExceptionGroup);
      expect((error as ExceptionGroup).errors).toMatchObject([
        { code: 'ECONNREFUSED', address: '127.0.0.2' },
        { code: 'ECONNREFUSED', address: '127.0.0.3' },
      ]);
      const one = await outcome(call(() => connect(to(['127.0.0.5'], { allErrors: true }))));
      expect(one).toBeInstanceOf(ExceptionGroup);
      expect((one as ExceptionGroup).errors).toMatchObject([{ code: 'ECONNREFUSED', address: '127.0.0.5' }]);
    }));
});
