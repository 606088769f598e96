import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ClosedResourceError, InvalidStateError } from '../../../src/base/errors.js';
import { EventLoop } from '../../../src/event-loop.js';
import { forms, outcome } from '../../support/forms.js';
import { turns, withLoop } from '../../support/loop.js';

const LARGE = 4 << 20;

type Open = (fd: number) => number;

/** Runs `body`; what it has passed to `open` is closed behind it, unless it has closed it itself. */
async function withSockets(body: (loop: EventLoop, open: Open) => unknown): Promise<void> {
  await withLoop<EventLoop>(
    async (loop) => {
      const fds = new Set<number>();
      try {
        await body(loop, (fd) => (fds.add(fd), fd));
      } finally {
        for (const fd of fds) loop.sock.close(fd);
      }
    },
    { make: (options) => new EventLoop(options) },
  );
}

function openPair(loop: EventLoop, open: Open): [number, number] {
  const [one, other] = loop.sock.pair();
  return [open(one), open(other)];
}

function patterned(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 8)) & 255;
  return bytes;
}

describe.each(forms)('$name', ({ start, call }) => {
  test(`sock_* low level: recv takes what is there at once, and waits for what is not`, async () => {
    await withSockets(async (loop, open) => {
      const [one, other] = openPair(loop, open);
      await call(() => loop.sock.sendAll(one, 'abc'));
      expect(String(await call(() => loop.sock.recv(other, 2)))).toBe('ab');
      const into = Buffer.alloc(8);
      expect(await call(() => loop.sock.recvInto(other, into))).toBe(1);
      expect(into[0]).toBe(0x63);
      const task = call(() => loop.sock.recv(other, 8));
      await turns(loop);
      expect(task.done()).toBe(false);
      await call(() => loop.sock.sendAll(one, 'later'));
      expect(String(await task)).toBe('later');
    });
  });

  test(`sock_* low level: a partial sendAll goes on where it stopped, and loses nothing`, async () => {
    await withSockets(async (loop, open) => {
      const [one, other] = openPair(loop, open);
      const sent = patterned(LARGE);
      const sending = call(() => loop.sock.sendAll(one, sent));
      await turns(loop);
      expect(sending.done()).toBe(false);
      const received = await start(function* () {
        const pieces: Buffer[] = [];
        for (let size = 0; size < LARGE; size += pieces.at(-1)!.length) {
          pieces.push((yield loop.sock.recv(other, 100_003)) as Buffer);
        }
        return Buffer.concat(pieces);
      });
      await sending;
      expect((received as Buffer).equals(sent)).toBe(true);
    });
  });

  test(`sock_* low level: cancel removes the watcher, so that a new descriptor of the number hears nothing stale`, async () => {
    await withSockets(async (loop, open) => {
      const [one, other] = loop.sock.pair();
      const task = call(() => loop.sock.recv(one, 8));
      await turns(loop);
      expect(loop.statistics().references).toBe(1);
      task.cancel();
      await outcome(task);
      expect(task.cancelled()).toBe(true);
      expect(loop.statistics().references).toBe(0);
      loop.sock.close(one);
      loop.sock.close(other);
      const [again, peer] = openPair(loop, open);
      expect([again, peer]).toContain(one);
      const next = call(() => loop.sock.recv(again, 8));
      await turns(loop);
      expect(next.done()).toBe(false);
      await call(() => loop.sock.sendAll(peer, 'new'));
      expect(String(await next)).toBe('new');
    });
  });

  test(`sock_* low level: connect and accept meet, over TCP and over Unix sockets`, async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'evloop-sock-'));
    try {
      await withSockets(async (loop, open) => {
        const { sock } = loop;
        const targets = [{ address: '127.0.0.1', port: 0 }, { path: path.join(directory, 'socket') }];
        for (const target of targets) {
          const family = 'path' in target ? 'Unix' : 'IPv4';
          const listener = open(sock.create({ family }));
          sock.bind(listener, target);
          sock.listen(listener);
          const accepting = call(() => sock.accept(listener));
          await turns(loop);
          expect(accepting.done()).toBe(false);
          const client = open(sock.create({ family }));
          await call(() => sock.connect(client, sock.address(listener)));
          const { fd, address } = await accepting;
          open(fd);
          expect(address).toEqual(sock.address(client));
          await call(() => sock.sendAll(client, 'x'));
          expect(String(await call(() => sock.recv(fd, 8)))).toBe('x');
        }
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test(`sock_* low level: an accept that is cancelled as it completes loses no connection`, async () => {
    await withSockets(async (loop, open) => {
      const { sock } = loop;
      const listener = open(sock.create());
      sock.bind(listener, { address: '127.0.0.1', port: 0 });
      sock.listen(listener);
      for (let moment = 0; moment < 24; moment++) {
        const accepting = call(() => sock.accept(listener));
        await turns(loop);
        const client = open(sock.create());
        const connecting = call(() => sock.connect(client, sock.address(listener)));
        // Before the acceptance, in the very turn, behind it; and between the promise jobs of each.
        await turns(loop, moment >> 2);
        for (let job = 0; job < moment % 4; job++) await Promise.resolve();
        accepting.cancel();
        await outcome(accepting);
        const { fd, address } = await (accepting.cancelled() ? call(() => sock.accept(listener)) : accepting);
        open(fd);
        await connecting;
        expect(address).toEqual(sock.address(client));
      }
    });
  });

  test(`sock_* low level: datagrams come with the address of who sent them`, async () => {
    await withSockets(async (loop, open) => {
      const { sock } = loop;
      const bound = (): number => {
        const fd = open(sock.create({ type: 'datagram' }));
        sock.bind(fd, { address: '127.0.0.1', port: 0 });
        return fd;
      };
      const [one, other] = [bound(), bound()];
      const from = sock.address(one);
      expect(await call(() => sock.sendTo(one, 'hello', sock.address(other)))).toBe(5);
      expect(await call(() => sock.recvFrom(other, 3))).toEqual({ data: Buffer.from('hel'), address: from });
      const into = Buffer.alloc(8);
      const waiting = call(() => sock.recvFromInto(other, into));
      await turns(loop);
      await call(() => sock.sendTo(one, 'again', sock.address(other)));
      expect(await waiting).toEqual({ count: 5, address: from });
    });
  });

  test(`sock_* low level: errors name the call and the address`, async () => {
    await withSockets(async (loop, open) => {
      const { sock } = loop;
      const listener = sock.create();
      sock.bind(listener, { address: '127.0.0.1', port: 0 });
      const nobody = sock.address(listener);
      sock.close(listener);
      const client = open(sock.create());
      expect(await outcome(call(() => sock.connect(client, nobody)))).toMatchObject({
        code: 'ECONNREFUSED',
        syscall: 'connect',
        port: nobody.port,
      });
      const [one, other] = sock.pair();
      sock.close(other);
      expect((await call(() => sock.recv(one, 8))).length).toBe(0);
      expect(await outcome(call(() => sock.sendAll(one, 'x')))).toMatchObject({
        code: 'EPIPE',
        syscall: 'send',
      });
      sock.close(one);
      expect(await outcome(call(() => sock.recv(one, 8)))).toMatchObject({ code: 'EBADF' });
    });
  });

  test(`sock_* low level: close wakes who waits, and a second reader is refused`, async () => {
    await withSockets(async (loop, open) => {
      const [one, other] = loop.sock.pair();
      open(other);
      const first = call(() => loop.sock.recv(one, 8));
      await turns(loop);
      expect(await outcome(call(() => loop.sock.recv(one, 8)))).toBeInstanceOf(InvalidStateError);
      loop.sock.close(one);
      expect(await outcome(first)).toBeInstanceOf(ClosedResourceError);
    });
  });
});
