// Callbacks at a time: started, cancelled, put off, and in the order of their deadlines.
//
//   node examples/timers.mjs
import { EventLoop, run, sleep } from 'evloop';

await run(async () => {
  const loop = EventLoop.running();
  const begin = loop.time();
  const say = (/** @type {string} */ text) => {
    console.log(`${text} after ${Math.floor((loop.time() - begin) / 10) * 10} ms`);
  };

  loop.callSoon(say, 'in the next turn');
  loop.callLater(20, say, 'a timer');
  loop.callLater(20, say, 'another one with the same deadline');
  loop.callAt(begin + 40, say, 'at a time of the clock');

  loop.callLater(10, say, 'never').cancel();

  // A deadline that is put off whenever something happens, as for an idle connection.
  const idle = loop.callLater(30, say, 'idle for 30 ms');
  for (let i = 0; i < 3; i++) {
    await sleep(15);
    idle.reset(30);
  }

  // Timers of a loop do not outlive run(), so wait for the last one.
  await sleep(50);
});
