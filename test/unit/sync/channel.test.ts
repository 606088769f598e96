// Channels, in both forms.
import { describe, expect, test } from 'vitest';
import { channel } from '../../../src/sync/channel.js';
import { createTask } from '../../../src/task/current.js';
import { sleep } from '../../../src/task/sleep.js';
import { forms, outcome } from '../../support/forms.js';
import { withLoop } from '../../support/loop.js';

const nameOf = (call: () => unknown): string => {
  try {
    call();
    return 'no error';
  } catch (error) {
    return (error as Error).name;
  }
};

describe.each(forms)('$name', ({ call }) => {
  test('memory channel: with capacity 0 a send completes only when the item is received', async () => {
    await withLoop(async () => {
      const { send, receive } = channel<string>(0);
      const sending = call(() => send.send('item'));
      await sleep(1);
      expect(sending.done()).toBe(false);
      expect(send.statistics()).toMatchObject({ size: 0, tasksWaitingSend: 1 });
      expect(await call(() => receive.receive())).toBe('item');
      await sending;
      // And the other way round.
      const receiving = call(() => receive.receive());
      await sleep(1);
      expect(receive.statistics()).toMatchObject({ tasksWaitingSend: 0, tasksWaitingReceive: 1 });
      await call(() => send.send('next'));
      expect(await receiving).toBe('next');
    });
  });

  test('memory channel: items arrive in the order in which sending began', async () => {
    await withLoop(async () => {
      for (const capacity of [0, 1, 3, Infinity]) {
        const { send, receive } = channel<number>(capacity);
        const sendings = Array.from({ length: 8 }, (_unused, i) => call(() => send.send(i)));
        await sleep(0);
        await sleep(0);
        const waiting = Math.max(0, 8 - capacity);
        expect(send.statistics()).toMatchObject({ size: 8 - waiting, tasksWaitingSend: waiting });
        for (let i = 0; i < 8; i++) expect(await call(() => receive.receive())).toBe(i);
        for (const sending of sendings) await sending;
      }
    });
  });

  test('memory channel: closing the last sender ends the receivers, after what is left', async () => {
    await withLoop(async () => {
      const { send, receive } = channel<number>(5);
      const second = send.clone();
      await call(() => send.send(1));
      send.close();
      send.close();
      await call(() => second.send(2));
      expect(await call(() => receive.receive())).toBe(1);
      expect(receive.statistics().openSenders).toBe(1);
      second.close();
      expect(await call(() => receive.receive())).toBe(2);
      expect(await outcome(call(() => receive.receive()))).toMatchObject({ name: 'EndOfChannel' });
      expect(nameOf(() => receive.receiveNowait())).toBe('EndOfChannel');
    });
  });

  test('memory channel: closing the last sender ends receivers that wait', async () => {
    await withLoop(async () => {
      const { send, receive } = channel<number>(0);
      const receivings = [call(() => receive.receive()), call(() => receive.receive())];
      await sleep(1);
      send.close();
      for (const receiving of receivings) {
        expect(await outcome(receiving)).toMatchObject({ name: 'EndOfChannel' });
      }
    });
  });

  test('memory channel: without receivers a send throws, also one that waits', async () => {
    await withLoop(async () => {
      const { send, receive } = channel<number>(1);
      const second = receive.clone();
      await call(() => send.send(1));
      const sending = call(() => send.send(2));
      await sleep(1);
      receive.close();
      receive.close();
      await sleep(1);
      expect(sending.done()).toBe(false);
      second.close();
      expect(await outcome(sending)).toMatchObject({ name: 'BrokenResourceError' });
      expect(await outcome(call(() => send.send(3)))).toMatchObject({ name: 'BrokenResourceError' });
      expect(nameOf(() => send.sendNowait(3))).toBe('BrokenResourceError');
      expect(send.statistics()).toMatchObject({ size: 0, openReceivers: 0 });
    });
  });

  test('memory channel: an end that is closed refuses, and so end its waits', async () => {
    await withLoop(async () => {
      const { send, receive } = channel<number>(0);
      const other = { send: send.clone(), receive: receive.clone() };
      const sending = call(() => send.send(1));
      await sleep(1);
      send.close();
      expect(await outcome(sending)).toMatchObject({ name: 'ClosedResourceError' });
      const receiving = call(() => receive.receive());
      const otherReceiving = call(() => other.receive.receive());
      await sleep(1);
      receive.close();
      expect(await outcome(receiving)).toMatchObject({ name: 'ClosedResourceError' });
      expect(await outcome(call(() => send.send(1)))).toMatchObject({ name: 'ClosedResourceError' });
      expect(await outcome(call(() => receive.receive()))).toMatchObject({ name: 'ClosedResourceError' });
      const calls = [
        () => send.sendNowait(1),
        () => send.clone(),
        () => receive.receiveNowait(),
        () => receive.clone(),
      ];
      expect(calls.map(nameOf)).toEqual(calls.map(() => 'ClosedResourceError'));
      // The other ends of the channel go on.
      await call(() => other.send.send(2));
      expect(await otherReceiving).toBe(2);
    });
  });

  test('memory channel: a cancelled send takes its item back, a cancelled receive takes none', async () => {
    await withLoop(async () => {
      const { send, receive } = channel<string>(0);
      const sendings = [call(() => send.send('cancelled')), call(() => send.send('second'))];
      await sleep(1);
      sendings[0]!.cancel();
      expect(await outcome(sendings[0]!)).toMatchObject({ name: 'CancelledError' });
      expect(await call(() => receive.receive())).toBe('second');
      await sendings[1]!;
      const receivings = [call(() => receive.receive()), call(() => receive.receive())];
      await sleep(1);
      send.sendNowait('item');
      receivings[0]!.cancel();
      expect([await outcome(receivings[0]!), await outcome(receivings[1]!)]).toMatchObject([
        { name: 'CancelledError' },
        'item',
      ]);
    });
  });

  test('memory channel: a receiver whose end is closed between wake-up and step passes the item on', async () => {
    await withLoop(async () => {
      const { send, receive } = channel<string>(1);
      const other = receive.clone();
      const receivings = [call(() => receive.receive()), call(() => other.receive())];
      await sleep(1);
      send.sendNowait('item');
      receive.close();
      expect(await outcome(receivings[0]!)).toMatchObject({ name: 'ClosedResourceError' });
      expect(await receivings[1]!).toBe('item');
    });
  });
});

test('memory channel: without waiting, what is not possible throws', async () => {
  await withLoop(async () => {
    const { send, receive } = channel<number>(1);
    expect(nameOf(() => receive.receiveNowait())).toBe('WouldBlock');
    send.sendNowait(1);
    expect(nameOf(() => send.sendNowait(2))).toBe('WouldBlock');
    expect(receive.receiveNowait()).toBe(1);
    const rendezvous = channel<number>(0);
    expect(nameOf(() => rendezvous.send.sendNowait(1))).toBe('WouldBlock');
    const receiving = createTask(async () => await rendezvous.receive.receive());
    await sleep(1);
    rendezvous.send.sendNowait(1);
    // One waited, and one item is on its way.
    expect(nameOf(() => rendezvous.send.sendNowait(2))).toBe('WouldBlock');
    expect(await receiving).toBe(1);
    // Nobody waits, but somebody sends.
    const sending = createTask(async () => await rendezvous.send.send(3));
    await sleep(1);
    expect(rendezvous.receive.receiveNowait()).toBe(3);
    await sending;
  });
});

test('memory channel: sending without waiting does not overtake', async () => {
  await withLoop(async () => {
    const { send, receive } = channel<number>(0);
    const receivings = [1, 2].map(() => createTask(async () => await receive.receive()));
    await sleep(1);
    const sending = send.send(1);
    expect(nameOf(() => send.sendNowait(2))).toBe('WouldBlock');
    await sending;
    send.sendNowait(2);
    expect(await Promise.all(receivings)).toEqual([1, 2]);
  });
});

test('memory channel: for await ends with the last sender, break closes nothing', async () => {
  await withLoop(async () => {
    const { send, receive } = channel<number>(0);
    const taken: number[] = [];
    const producer = createTask(async () => {
      for (let i = 0; i < 5; i++) await send.send(i);
      send.close();
    });
    for await (const item of receive) {
      taken.push(item);
      if (item === 1) break;
    }
    expect(receive.statistics().openReceivers).toBe(1);
    for await (const item of receive) taken.push(item);
    expect(taken).toEqual([0, 1, 2, 3, 4]);
    await producer;
  });
});

test('memory channel: ends are disposable', async () => {
  await withLoop(async () => {
    const { send, receive } = channel<number>(1);
    {
      using own = send;
      own.sendNowait(1);
    }
    expect(receive.receiveNowait()).toBe(1);
    expect(nameOf(() => receive.receiveNowait())).toBe('EndOfChannel');
    {
      using own = receive;
      expect(own.statistics().openReceivers).toBe(1);
    }
    expect(receive.statistics().openReceivers).toBe(0);
  });
});

test('statistics: of a channel are exact and frozen', async () => {
  await withLoop(async () => {
    const { send, receive } = channel<number>(1);
    const clones = [send.clone(), receive.clone(), receive.clone()];
    const sendings = [1, 2, 3].map((item) => createTask(async () => await send.send(item)));
    await sleep(1);
    expect(send.statistics()).toEqual({
      size: 1,
      capacity: 1,
      openSenders: 2,
      openReceivers: 3,
      tasksWaitingSend: 2,
      tasksWaitingReceive: 0,
    });
    expect(receive.statistics()).toEqual(send.statistics());
    expect(Object.isFrozen(send.statistics())).toBe(true);
    for (let i = 1; i <= 3; i++) expect(await receive.receive()).toBe(i);
    await Promise.all(sendings);
    for (const end of clones) end.close();
  });
});

test('a channel belongs to the first loop on which somebody waits', async () => {
  const { send, receive } = channel<number>(0);
  await withLoop(async () => {
    const sending = send.send(1);
    expect(await receive.receive()).toBe(1);
    await sending;
  });
  await withLoop(async () => {
    expect(nameOf(() => send.send(1))).toBe('InvalidStateError');
    expect(await outcome(receive.receive())).toMatchObject({ name: 'InvalidStateError' });
  });
});
