// A batch that is interrupted for Node's sake goes on while native receives further bytes.
import { expect, test } from 'vitest';
import { EventLoop } from '../../../src/index.js';
import { connectStream } from '../../../src/io/connect.js';
import { serveStreams } from '../../../src/io/server.js';

const STREAMS = 40;
const ROUNDS = 6;
const SIZE = 9000;

test('bytes that arrive while a batch is interrupted stay what they are', async () => {
  const loop = new EventLoop({ maxBatch: 1, budgetMs: 0 });
  await loop.runUntilComplete(function* () {
    const server = yield* serveStreams(
      loop,
      function* (stream) {
        for (;;) {
          const chunk = yield* stream.read();
          if (chunk.length === 0) return;
          stream.write(chunk);
          yield* stream.drain();
        }
      },
      { host: '127.0.0.1' },
    );
    function* exchange(id: number) {
      const stream = yield* connectStream(loop, { host: '127.0.0.1', port: server.port });
      for (let round = 0; round < ROUNDS; round++) {
        const sent = Buffer.alloc(SIZE, (id * ROUNDS + round) % 251);
        stream.write(sent);
        const parts: Buffer[] = [];
        for (let received = 0; received < SIZE; received += parts.at(-1)!.length) {
          parts.push(yield* stream.read());
        }
        expect(Buffer.concat(parts).equals(sent)).toBe(true);
      }
      yield* stream.close();
    }
    const tasks = Array.from({ length: STREAMS }, (_, id) => loop.createTask(exchange(id)));
    for (const task of tasks) yield* task;
    yield* server.close();
  });
  loop.close();
});
