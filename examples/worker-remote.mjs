// A worker thread that tells the main thread's loop how far it is.
//
//   node examples/worker-remote.mjs
import { Worker, isMainThread, workerData } from 'node:worker_threads';
import { EventLoop, LoopRemote, run } from 'evloop';

const LIMIT = 50_000;

/** @param {number} n */
function isPrime(n) {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
  return n > 1;
}

/** @param {LoopRemote} remote */
function work(remote) {
  let primes = 0;
  for (let n = 0; n < LIMIT; n++) {
    if (isPrime(n)) primes++;
    // Runs in the main thread, in its loop's next turn.
    if ((n + 1) % (LIMIT / 5) === 0) remote.post('progress', n + 1, primes);
  }
  remote.post('finish', primes);
}

function* main() {
  const loop = EventLoop.running();
  /** @type {import('evloop').Future<number>} */
  const result = loop.createFuture();
  const remote = loop.createRemote({
    progress: (/** @type {number} */ done, /** @type {number} */ primes) => {
      console.log(`${primes} primes below ${done}`);
    },
    finish: (/** @type {number} */ primes) => result.setResult(primes),
  });
  const worker = new Worker(new URL(import.meta.url), { workerData: { remote } });
  worker.on('error', (error) => result.setException(error));
  console.log(`the worker found ${yield* result} primes`);
}

if (isMainThread) await run(main);
else work(new LoopRemote(workerData.remote));
