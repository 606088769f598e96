// Compiled, never run: what the types of futures and tasks give and refuse.
import {
  createTask,
  currentTask,
  EventLoop,
  run,
  sleep,
  type Awaitable,
  type Future,
  type Task,
} from 'evloop';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function type<E>(): { of<V>(value: V, ...wrong: Equal<V, E> extends true ? [] : ['another type']): void } {
  return {
    of() {
      // Checked by the compiler.
    },
  };
}

const loop = new EventLoop();

// What a coroutine returns is the task's result, however it is written.
const fromGenerator = loop.createTask(function* () {
  const word = yield* sleep(1, 'word');
  type<string>().of(word);
  yield;
  return word.length;
});
type<Task<number>>().of(fromGenerator);
const fromObject = createTask(
  (function* () {
    yield;
    return 'x';
  })(),
);
type<Task<string>>().of(fromObject);
const fromAsync = createTask(async () => await sleep(1, 5));
type<Task<number>>().of(fromAsync);
const withSignal = createTask(async (signal, task) => [signal.aborted, task.name] as const);
type<Task<readonly [boolean, string]>>().of(withSignal);
const fromAwaitable = createTask(() => sleep(1, true));
type<Task<boolean>>().of(fromAwaitable);
const result = run(async () => 5);
type<Promise<number>>().of(result);
const fromVoid = run(function* () {
  yield* sleep(1);
});
type<Promise<void>>().of(fromVoid);
const complete = loop.runUntilComplete(fromAsync);
type<Promise<number>>().of(complete);

// Everything can be waited for in both ways.
const future = loop.createFuture<number>();
const awaitables: Awaitable<unknown>[] = [
  future,
  fromAsync,
  sleep(1),
  loop.yield(),
  loop.wrap(Promise.resolve(1)),
];
async function inAsync(): Promise<void> {
  const value = await future;
  type<number>().of(value);
  await Promise.all(awaitables);
}
function* inGenerator(): Generator<unknown, void, unknown> {
  const value = yield* future;
  type<number>().of(value);
  const joined = yield* fromGenerator;
  type<number>().of(joined);
  for (const awaitable of awaitables) yield* awaitable;
}
void [inAsync, inGenerator];

// A future without a type has no value.
const plain = loop.createFuture();
type<Future<void>>().of(plain);
plain.setResult();
// @ts-expect-error -- a value is wanted
future.setResult();
// @ts-expect-error -- of this type
future.setResult('x');
future.addDoneCallback((done) => type<Future<number>>().of(done));

// No coroutines.
// @ts-expect-error -- a promise has begun already
createTask(Promise.resolve(1));
// @ts-expect-error -- so has a future
createTask(future);
// @ts-expect-error -- gives neither promise nor generator
createTask(() => 5);
// @ts-expect-error -- async generators do not wait in our way
createTask(async function* () {});
// @ts-expect-error -- no such option
createTask(async () => 5, { nme: 'x' });

type<Task<unknown> | null>().of(currentTask());
