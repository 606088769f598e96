import { spawn, type StdioOptions } from 'node:child_process';
import { closeSync, constants, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { EventLoop } from '../../../src/event-loop.js';
import { descriptors } from '../../support/descriptors.js';
import { distUrl } from '../../support/dist.js';
import { turns, withLoop } from '../../support/loop.js';

const MORE_THAN_A_PIPE_TAKES = 300_000;

async function withEventLoop(body: (loop: EventLoop) => unknown): Promise<void> {
  await withLoop<EventLoop>((loop) => body(loop), { make: (options) => new EventLoop(options) });
}

describe('streams', () => {
  test('pipe transports: what is written into one end is read from the other, in a generator task', async () => {
    await withEventLoop(async (loop) => {
      const [read, write] = descriptors.pipe();
      const [reader, writer] = [loop.readPipe(read), loop.writePipe(write)];
      const bytes = Buffer.alloc(MORE_THAN_A_PIPE_TAKES, 'pipe');
      const sending = loop.createTask(function* send() {
        yield* writer.send('line\n');
        yield* writer.send(bytes);
        yield* writer.close();
      });
      const received = await loop.createTask(function* receive() {
        const line = String(yield* reader.readLine());
        return [line, yield* reader.read(-1)] as const;
      });
      await sending;
      expect(received[0]).toBe('line\n');
      expect(received[1].equals(bytes)).toBe(true);
      await reader.close();
      expect(() => fstatSync(read)).toThrow();
    });
  });

  test('pipe transports: the same in an async function, and small writes in one turn keep their order', async () => {
    await withEventLoop(async (loop) => {
      const [read, write] = descriptors.pipe();
      const [reader, writer] = [loop.readPipe(read), loop.writePipe(write)];
      await loop.createTask(async () => {
        for (let n = 0; n < 100; n++) writer.write(`${String(n)},`);
        writer.closeWrite();
        const text = String(await reader.read(-1));
        expect(text).toBe(Array.from({ length: 100 }, (_, n) => `${String(n)},`).join(''));
      });
      await writer.closed;
      await reader.close();
    });
  });

  test('pipe transports: the end that is read takes no writes', async () => {
    await withEventLoop(async (loop) => {
      const [read, write] = descriptors.pipe();
      const reader = loop.readPipe(read);
      expect(() => reader.write('x')).toThrow(/closeWrite/);
      closeSync(write);
      expect(await reader.read()).toHaveLength(0);
      await reader.close();
    });
  });

  test('pipe transports: a wait for bytes is cancelled without loss', async () => {
    await withEventLoop(async (loop) => {
      const [read, write] = descriptors.pipe();
      const reader = loop.readPipe(read);
      const waiting = loop.createTask(async () => await reader.read());
      await turns(loop);
      waiting.cancel();
      await expect(Promise.resolve(waiting)).rejects.toMatchObject({ code: 'ABORT_ERR' });
      writeSync(write, 'later');
      expect(String(await reader.read())).toBe('later');
      closeSync(write);
      await reader.close();
    });
  });

  test('pipe transports: a socket is one as well, and a device that is always ready', async () => {
    await withEventLoop(async (loop) => {
      const [one, other] = descriptors.socketPair();
      const [reader, writer] = [loop.readPipe(one), loop.writePipe(other)];
      await writer.send('through a socket');
      expect(String(await reader.read())).toBe('through a socket');
      await reader.close();
      await writer.closed;
      const nothing = loop.readPipe(openSync('/dev/null', 'r'));
      expect(await nothing.read()).toHaveLength(0);
      await nothing.close();
      const sink = loop.writePipe(openSync('/dev/null', 'w'));
      await sink.send('gone');
      await sink.close();
      const zeros = loop.readPipe(openSync('/dev/zero', 'r'));
      expect((await zeros.readExactly(1000)).every((byte) => byte === 0)).toBe(true);
      await zeros.close();
    });
  });

  test('unsupported fds: a regular file and a directory are refused by pipes, and stay open', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'evloop-pipes-'));
    const fds = [openSync(path.join(directory, 'file'), 'w+'), openSync(directory, 'r')];
    await withEventLoop(async (loop) => {
      for (const fd of fds) {
        expect(() => loop.readPipe(fd)).toThrow(/EINVAL.*regular files are always ready/);
        expect(() => loop.writePipe(fd)).toThrow(/regular files/);
        await expect(Promise.resolve(loop.connectReadPipe(() => ({}), fd))).rejects.toThrow(/regular files/);
        await expect(Promise.resolve(loop.connectWritePipe(() => ({}), fd))).rejects.toThrow(/regular files/);
        fstatSync(fd);
      }
    });
    fds.forEach(closeSync);
    rmSync(directory, { recursive: true });
  });
});

describe('protocols', () => {
  test('pipe transports: connectReadPipe() tells of bytes and of the end', async () => {
    await withEventLoop(async (loop) => {
      const [read, write] = descriptors.pipe();
      const events: string[] = [];
      await loop.connectReadPipe(
        () => ({
          connectionMade: () => void events.push('made'),
          dataReceived: (chunk: Buffer) => void events.push(String(chunk)),
          eofReceived: () => {
            events.push('eof');
            return undefined;
          },
          connectionLost: (error: Error | null) => void events.push(`lost ${String(error)}`),
        }),
        read,
      );
      writeSync(write, 'data');
      while (!events.includes('data')) await turns(loop);
      closeSync(write);
      while (events.length < 4) await turns(loop);
      expect(events).toEqual(['made', 'data', 'eof', 'lost null']);
    });
  });

  test('pipe transports: connectWritePipe() pauses a protocol that writes too much', async () => {
    await withEventLoop(async (loop) => {
      const [read, write] = descriptors.pipe();
      const events: string[] = [];
      const [transport] = await loop.connectWritePipe(
        () => ({
          pauseWriting: () => void events.push('pause'),
          resumeWriting: () => void events.push('resume'),
          connectionLost: (error: Error | null) => void events.push(`lost ${String(error)}`),
        }),
        write,
      );
      transport.write(Buffer.alloc(MORE_THAN_A_PIPE_TAKES));
      while (!events.includes('pause')) await turns(loop);
      const chunk = Buffer.alloc(65536);
      while (!events.includes('resume')) {
        readSync(read, chunk);
        await turns(loop);
      }
      transport.writeEof();
      while (readSync(read, chunk) > 0) await turns(loop);
      while (events.length < 3) await turns(loop);
      expect(events).toEqual(['pause', 'resume', 'lost null']);
      closeSync(read);
    });
  });
});

describe('standard streams', () => {
  const ECHO = `
    const { run, stdin, stdout, stderr } = await import(${JSON.stringify(distUrl('index'))});
    await run(async () => {
      const [input, output, errors] = [stdin(), stdout(), stderr()];
      const text = await input.read(-1);
      await output.send(text);
      await errors.send(String(text.length));
      await Promise.all([input, output, errors].map((stream) => stream.close()));
    });
    process.stdout.write('!');
  `;

  async function echo(stdio: StdioOptions, input: Buffer): Promise<{ code: number; stdout: string }> {
    const node = spawn(process.execPath, ['--input-type=module', '--eval', ECHO], { stdio, timeout: 20_000 });
    let stdout = '';
    node.stdout?.setEncoding('latin1').on('data', (text: string) => (stdout += text));
    node.stdin?.end(input);
    return new Promise((resolve) => {
      node.on('close', (code) => resolve({ code: code ?? -1, stdout }));
    });
  }

  test('stdio: carries more than a buffer over sockets, and the process goes on using its own', async () => {
    const input = Buffer.alloc(MORE_THAN_A_PIPE_TAKES, 'stdio ');
    const { code, stdout } = await echo(['pipe', 'pipe', 'ignore'], input);
    expect(code).toBe(0);
    expect(stdout).toBe(`${input.toString('latin1')}!`);
  });

  test('stdio: leaves no O_NONBLOCK behind on pipes that are shared', async () => {
    const [input, output, errors] = [descriptors.pipe(), descriptors.pipe(), descriptors.pipe()];
    writeSync(input[1], 'shared');
    closeSync(input[1]);
    const { code } = await echo([input[0], output[1], errors[1]], Buffer.alloc(0));
    expect(code).toBe(0);
    const answer = Buffer.alloc(16);
    expect(answer.toString('latin1', 0, readSync(output[0], answer))).toBe('shared!');
    for (const fd of [input[0], output[1], errors[1]]) {
      expect(descriptors.statusFlags(fd) & constants.O_NONBLOCK).toBe(0);
    }
    [input[0], ...output, ...errors].forEach(closeSync);
  });
});
