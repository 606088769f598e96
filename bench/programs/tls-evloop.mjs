// A TLS echo server: node tls-evloop.mjs HOST PORT DIRECTORY
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { EventLoop, listen, run } from 'evloop';

const [host = '', port, directory = ''] = process.argv.slice(2);
const [key, cert] = ['key.pem', 'cert.pem'].map((file) => readFileSync(path.join(directory, file)));

/** @param {import('evloop').Stream} stream */
function* echo(stream) {
  try {
    for (;;) {
      const chunk = yield* stream.read();
      if (chunk.length === 0) return;
      if (!stream.write(chunk)) yield* stream.drain();
    }
  } catch {
    // A client that resets the connection is no reason to end.
  }
}

await run(function* () {
  yield* listen(echo, { host, port: Number(port), tls: { key, cert } });
  yield* EventLoop.running().createFuture();
});
