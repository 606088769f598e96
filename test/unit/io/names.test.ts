import { describe, expect, test } from 'vitest';
import { CancelledError } from '../../../src/base/errors.js';
import type { AddressInfo } from '../../../src/io/address-query.js';
import { FakeSystem } from '../../support/fake-system.js';
import { forms, outcome } from '../../support/forms.js';
import { soon } from '../../support/loop.js';
import { withEventLoop } from '../../support/net.js';

const EAI_AGAIN = -3001;
const EAI_NONAME = -3008;

const entry = (address: string, port: number): AddressInfo => ({
  family: address.includes(':') ? 6 : 4,
  type: 'stream',
  protocol: 6,
  canonicalName: '',
  address,
  port,
});

describe.each(forms)('getaddrinfo / getnameinfo: in a $name,', ({ call, start }) => {
  test('a numeric host needs no thread and no turn', () =>
    withEventLoop(async (loop) => {
      const system = new FakeSystem(loop);
      // As CPython 3.13 answers.
      const trace: unknown[] = [];
      const task = start(function* () {
        trace.push(yield loop.getAddrInfo('127.0.0.1', 80));
        trace.push(yield loop.getAddrInfo('::1', '80', { type: 'datagram', flags: ['canonicalName'] }));
        trace.push(yield loop.getNameInfo({ address: '::1', port: 80 }, ['numericHost', 'numericService']));
      });
      loop.callSoon(() => trace.push('next turn'));
      await task;
      expect(trace.slice(0, 3)).toEqual([
        [
          entry('127.0.0.1', 80),
          { ...entry('127.0.0.1', 80), type: 'datagram', protocol: 17 },
          { ...entry('127.0.0.1', 80), type: 'raw', protocol: 0 },
        ],
        [{ ...entry('::1', 80), type: 'datagram', protocol: 17, canonicalName: '::1' }],
        { host: '::1', service: '80' },
      ]);
      expect(system.asked).toEqual([]);
    }));

  test('a name is looked up by the system, with a number in place of the port', () =>
    withEventLoop(async (loop) => {
      const system = new FakeSystem(loop);
      const found = call(() => loop.getAddrInfo('name.test', 80, { family: 4, type: 'stream' }));
      await soon(loop);
      expect(system.asked).toEqual([['name.test', null, 4, 1, 0, 0]]);
      expect(loop.statistics().references).toBe(1);
      system.find('name.test', '192.0.2.1', '2001:db8::1');
      expect(await found).toEqual([entry('192.0.2.1', 80), entry('2001:db8::1', 80)]);
      expect(loop.statistics().references).toBe(0);
    }));

  test('a service and flags go to the system', () =>
    withEventLoop(async (loop) => {
      const system = new FakeSystem(loop);
      const found = call(() =>
        loop.getAddrInfo(null, 'http', { protocol: 6, flags: ['passive', 'addressConfig'] }),
      );
      await soon(loop);
      expect(system.asked).toEqual([[null, 'http', 0, 0, 6, 17]]);
      system.answer(null, 0, 6, 4, 132, 'name', '::', 80);
      expect(await found).toEqual([
        { family: 6, type: 'seqpacket', protocol: 132, canonicalName: 'name', address: '::', port: 80 },
      ]);
    }));

  test('an error has the properties of one of dns.lookup()', () =>
    withEventLoop(async (loop) => {
      const system = new FakeSystem(loop);
      const found = call(() => loop.getAddrInfo('name.test'));
      const again = call(() => loop.getAddrInfo('again.test'));
      await soon(loop);
      system.answer('name.test', EAI_NONAME);
      system.answer('again.test', EAI_AGAIN);
      expect(await outcome(found)).toMatchObject({
        code: 'ENOTFOUND',
        errno: EAI_NONAME,
        syscall: 'getaddrinfo',
        hostname: 'name.test',
        message: 'getaddrinfo ENOTFOUND name.test: unknown node or service',
      });
      expect(await outcome(again)).toMatchObject({ code: 'EAI_AGAIN', hostname: 'again.test' });
    }));

  test('cancelling returns at once, and a thread that has begun finishes without a word', () =>
    withEventLoop(async (loop) => {
      const system = new FakeSystem(loop);
      system.isBusy = true;
      const found = call(() => loop.getAddrInfo('slow.test'));
      await soon(loop);
      found.cancel();
      expect(await outcome(found)).toBeInstanceOf(CancelledError);
      expect(loop.statistics().references).toBe(0);
      expect(system.pending).toBe(1);
      system.find('slow.test', '192.0.2.1');
      await soon(loop);
      await soon(loop);
      expect(system.pending).toBe(0);
    }));

  test('a reverse look-up gives both names', () =>
    withEventLoop(async (loop) => {
      const system = new FakeSystem(loop);
      const where = { family: 'IPv4', address: '192.0.2.1', port: 80 } as const;
      const names = call(() => loop.getNameInfo(where, ['datagram']));
      const failed = call(() => loop.getNameInfo(where, ['nameRequired']));
      await soon(loop);
      expect(system.asked).toEqual([
        ['192.0.2.1', '80', 256],
        ['192.0.2.1', '80', 128],
      ]);
      system.answer('192.0.2.1', 0, 'name.test', 'http');
      system.answer('192.0.2.1', EAI_NONAME, '', '');
      expect(await names).toEqual({ host: 'name.test', service: 'http' });
      expect(await outcome(failed)).toMatchObject({
        code: 'ENOTFOUND',
        syscall: 'getnameinfo',
        address: '192.0.2.1',
        port: 80,
      });
    }));

  test('the system itself knows this machine, and no name of ".invalid"', () =>
    withEventLoop(async (loop) => {
      const found = await call(() => loop.getAddrInfo('localhost', 80, { type: 'stream' }));
      expect(found.length).toBeGreaterThan(0);
      for (const { address, ...rest } of found) {
        expect(['127.0.0.1', '::1']).toContain(address);
        expect(rest).toMatchObject({ type: 'stream', protocol: 6, port: 80 });
      }
      const { host, service } = await call(() =>
        loop.getNameInfo({ address: '127.0.0.1', port: 80 }, ['numericService']),
      );
      expect(host).not.toBe('');
      expect(service).toBe('80');
    }));
});

test('a look-up that cannot begin fails, and the next one is a new one', () =>
  withEventLoop(async (loop) => {
    const system = new FakeSystem(loop);
    system.refusal = -11;
    expect(await outcome(loop.getAddrInfo('name.test'))).toMatchObject({
      code: 'EAGAIN',
      syscall: 'getaddrinfo',
    });
    system.refusal = 0;
    const found = loop.getAddrInfo('name.test');
    system.find('name.test', '192.0.2.1');
    expect(await found).toHaveLength(1);
  }));

test('names beyond ASCII are looked up as the IDNA says; impossible ones are not found', () =>
  withEventLoop(async (loop) => {
    const system = new FakeSystem(loop);
    const found = loop.getAddrInfo('bücher.test');
    system.find('xn--bcher-kva.test', '192.0.2.1');
    expect(await found).toHaveLength(1);
    for (const host of ['a b ü', 'name.test\0.evil.test']) {
      expect(await outcome(loop.getAddrInfo(host))).toMatchObject({ code: 'ENOTFOUND', hostname: host });
    }
    expect(system.asked.length).toBe(1);
  }));

test('a numeric host of the other family is refused as the system does', () =>
  withEventLoop(async (loop) => {
    const system = new FakeSystem(loop);
    expect(await outcome(loop.getAddrInfo('127.0.0.1', 80, { family: 6 }))).toMatchObject({
      code: 'EAI_ADDRFAMILY',
      hostname: '127.0.0.1',
    });
    expect(system.asked).toEqual([]);
  }));

test('what is special about a numeric host is for the system to say', () =>
  withEventLoop(async (loop) => {
    const system = new FakeSystem(loop);
    const questions = [
      loop.getAddrInfo('127.0.0.1', 'http'),
      loop.getAddrInfo('127.0.0.1', 80, { protocol: 6 }),
      loop.getAddrInfo('127.0.0.1', 80, { type: 'raw' }),
      loop.getAddrInfo('127.0.0.1', 80, { family: 6, flags: ['v4Mapped'] }),
      loop.getAddrInfo('fe80::1%lo', 80),
    ];
    expect(system.asked.length).toBe(questions.length);
    for (const question of questions) question.cancel();
  }));

test('a closed loop looks nothing up', async () => {
  await withEventLoop(async (loop) => {
    const system = new FakeSystem(loop);
    const found = loop.getAddrInfo('name.test');
    loop.stop();
    await soon(loop).catch(() => undefined);
    while (loop.isRunning()) await new Promise((resolve) => setImmediate(resolve));
    loop.close();
    expect(found.done()).toBe(false);
    found.cancel();
    expect(system.dropped).toEqual([]);
    expect(() => loop.getAddrInfo('name.test')).toThrow(expect.objectContaining({ code: 'ERR_LOOP_CLOSED' }));
    expect(() => loop.getNameInfo({ address: '::1', port: 1 })).toThrow(
      expect.objectContaining({ code: 'ERR_LOOP_CLOSED' }),
    );
  });
});
