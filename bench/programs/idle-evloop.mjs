// Waits with a listening socket and a timer an hour away: node idle-evloop.mjs HOST PORT
import process from 'node:process';
import { EventLoop, listen, run } from 'evloop';

const HOUR_MS = 3_600_000;
const [host = '', port] = process.argv.slice(2);

await run(function* () {
  const loop = EventLoop.running();
  yield* listen((stream) => stream.close(), { host, port: Number(port) });
  loop.callLater(HOUR_MS, () => {});
  yield* loop.createFuture();
});
