import { expect, test } from 'vitest';
import type { AddressInfo } from '../../../src/io/address-query.js';
import { binding } from '../../../src/native/load.js';
import { FakeSystem } from '../../support/fake-system.js';
import { outcome } from '../../support/forms.js';
import { soon } from '../../support/loop.js';
import { withEventLoop } from '../../support/net.js';

const addressesOf = (found: AddressInfo[]): string[] => found.map((entry) => entry.address);

test('getaddrinfo / getnameinfo: equal questions at the same time share one look-up', () =>
  withEventLoop(async (loop) => {
    const system = new FakeSystem(loop);
    const questions = [80, 443, null].map((port) => loop.getAddrInfo('name.test', port, { type: 'stream' }));
    expect(system.asked.length).toBe(1);
    expect(loop.statistics().references).toBe(1);
    system.find('name.test', '192.0.2.1');
    const answers = await Promise.all(questions);
    expect(answers.map(([first]) => first!.port)).toEqual([80, 443, 0]);
    // Nothing that one of them does with its answer is seen by the others.
    expect(new Set(answers).size).toBe(3);
    expect(loop.statistics().references).toBe(0);
    const next = loop.getAddrInfo('name.test', 80, { type: 'stream' });
    expect(system.asked.length).toBe(2);
    next.cancel();
  }));

test('questions that differ do not share', () =>
  withEventLoop((loop) => {
    const system = new FakeSystem(loop);
    const questions = [
      loop.getAddrInfo('name.test'),
      loop.getAddrInfo('other.test'),
      loop.getAddrInfo('name.test', null, { family: 4 }),
      loop.getAddrInfo('name.test', null, { type: 'stream' }),
      loop.getAddrInfo('name.test', null, { protocol: 6 }),
      loop.getAddrInfo('name.test', null, { flags: ['all'] }),
      loop.getAddrInfo('name.test', 'http'),
      loop.getNameInfo({ address: '::1', port: 80 }),
      loop.getNameInfo({ address: '::1', port: 81 }),
    ];
    expect(system.asked.length).toBe(questions.length);
    for (const question of questions) question.cancel();
  }));

test('the failure of a shared look-up is an error of its own for each', () =>
  withEventLoop(async (loop) => {
    const system = new FakeSystem(loop);
    const questions = [loop.getAddrInfo('name.test'), loop.getAddrInfo('name.test')];
    system.answer('name.test', -3008);
    const [first, second] = await Promise.all(questions.map(async (question) => await outcome(question)));
    expect(first).toMatchObject({ code: 'ENOTFOUND' });
    expect(second).toMatchObject({ code: 'ENOTFOUND' });
    expect(first).not.toBe(second);
  }));

test('a look-up is dropped when the last who waits for it is cancelled', () =>
  withEventLoop(async (loop) => {
    const system = new FakeSystem(loop);
    const questions = [loop.getAddrInfo('name.test'), loop.getAddrInfo('name.test')];
    expect(questions[0]!.cancel()).toBe(true);
    expect(system.dropped).toEqual([]);
    expect(loop.statistics().references).toBe(1);
    expect(questions[0]!.cancel()).toBe(false);
    questions[1]!.cancel();
    expect(system.dropped).toEqual([1]);
    expect(loop.statistics().references).toBe(0);
    const next = loop.getAddrInfo('name.test');
    expect(system.asked.length).toBe(2);
    system.find('name.test', '192.0.2.1');
    expect(addressesOf(await next)).toEqual(['192.0.2.1']);
  }));

test('a look-up that nobody waits for any more serves whoever asks while a thread is busy with it', () =>
  withEventLoop(async (loop) => {
    const system = new FakeSystem(loop);
    system.isBusy = true;
    loop.getAddrInfo('name.test').cancel();
    expect(loop.statistics().references).toBe(0);
    const next = loop.getAddrInfo('name.test');
    expect(system.asked.length).toBe(1);
    expect(loop.statistics().references).toBe(1);
    system.find('name.test', '192.0.2.1');
    expect(addressesOf(await next)).toEqual(['192.0.2.1']);
  }));

test('many answers come in one turn, in the order in which they were found', () =>
  withEventLoop(async (loop) => {
    const system = new FakeSystem(loop);
    const order: string[] = [];
    const names = Array.from({ length: 100 }, (_, i) => `${String(i)}.test`);
    for (const name of names) {
      loop.getAddrInfo(name).addDoneCallback(() => order.push(name));
    }
    names.reverse();
    const { turns } = loop.statistics();
    for (const name of names) system.find(name, '192.0.2.1');
    await soon(loop);
    await soon(loop);
    expect(order).toEqual(names);
    expect(loop.statistics().turns - turns).toBeLessThan(10);
  }));

test('other notifications of the loop are none of its business', () =>
  withEventLoop(async (loop) => {
    const system = new FakeSystem(loop);
    const found = loop.getAddrInfo('name.test');
    binding.notify(loop._native.notifierId);
    await soon(loop);
    expect(found.done()).toBe(false);
    system.find('name.test', '192.0.2.1');
    await found;
    binding.notify(loop._native.notifierId);
    await soon(loop);
  }));

test('threads of the system answer a crowd', () =>
  withEventLoop(
    async (loop) => {
      const hosts = Array.from({ length: 50 }, (_, i) => `127.${String(i)}`);
      const answers = await Promise.all(hosts.map(async (host) => await loop.getAddrInfo(host, 80)));
      expect(answers.map(([first]) => first!.address)).toEqual(hosts.map((_, i) => `127.0.0.${String(i)}`));
    },
    { dnsThreads: 4 },
  ));
