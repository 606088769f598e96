// Answers each line by a write of its own: node lines-evloop.mjs HOST PORT
import process from 'node:process';
import { EventLoop, listen, run } from 'evloop';
import { Lines } from './lines.mjs';

const [host = '', port] = process.argv.slice(2);

/** @param {import('evloop').Stream} stream */
function* serve(stream) {
  const lines = new Lines();
  const answer = (/** @type {Buffer} */ line) => void stream.write(line);
  for (;;) {
    const chunk = yield* stream.read();
    if (chunk.length === 0) return;
    lines.push(chunk, answer);
    yield* stream.drain();
  }
}

await run(function* () {
  yield* listen(serve, { host, port: Number(port) });
  yield* EventLoop.running().createFuture();
});
