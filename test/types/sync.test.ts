// Compiled, never run: what the types of the synchronisation primitives give and refuse.
import {
  AsyncEvent,
  Barrier,
  CapacityLimiter,
  Condition,
  Lock,
  Semaphore,
  sleep,
  type Awaitable,
  type Releaser,
} from 'evloop';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function type<E>(): { of<V>(value: V, ...wrong: Equal<V, E> extends true ? [] : ['another type']): void } {
  return {
    of() {
      // Checked by the compiler.
    },
  };
}

const lock = new Lock({ owner: true });
const semaphore = new Semaphore(2);
const limiter = new CapacityLimiter(2);
const condition = new Condition(lock);
const event = new AsyncEvent();
const barrier = new Barrier(2);

// What a body returns is the result, however it is written.
const fromGenerator = lock.withLock(function* () {
  return (yield* sleep(1, 'word')).length;
});
type<Awaitable<number>>().of(fromGenerator);
const fromAsync = lock.withLock(async () => await sleep(1, 'word'));
type<Awaitable<string>>().of(fromAsync);
const literal = semaphore.withPermit(async () => [1, 'x'] as const, 2);
type<Awaitable<readonly [1, 'x']>>().of(literal);
const nothing = limiter.withToken(function* () {
  yield* event.wait();
});
type<Awaitable<void>>().of(nothing);
const inCondition = condition.withLock(async () => 5);
type<Awaitable<number>>().of(inCondition);

async function inAsync(): Promise<void> {
  const releaser = await lock.acquire();
  type<Releaser>().of(releaser);
  const value = await lock.withLock(async () => 5);
  type<number>().of(value);
  const happened = await event.wait();
  type<true>().of(happened);
  const index = await barrier.wait();
  type<number>().of(index);
}
function* inGenerator(): Generator<unknown, void, unknown> {
  const releaser = yield* semaphore.acquire(2);
  type<Releaser>().of(releaser);
  const value = yield* lock.withLock(function* () {
    yield;
    return 'x';
  });
  type<string>().of(value);
}
void [inAsync, inGenerator];

// A predicate's result, without what is no reason to go on.
const items: string[] = [];
const item = condition.waitFor(() => items[0]);
type<Awaitable<string>>().of(item);
const isThere = condition.waitFor(() => items.length > 0);
type<Awaitable<true>>().of(isThere);
// @ts-expect-error -- a promise is always true
void condition.waitFor(async () => items.length > 0);

// @ts-expect-error -- gives neither promise nor generator
void lock.withLock(() => 5);
// @ts-expect-error -- is called without arguments
void lock.withLock(async (value: number) => value);
// @ts-expect-error -- a property
lock.locked();
// @ts-expect-error -- cannot be set
event.isSet = true;
// @ts-expect-error -- no such option
void new Lock({ owned: true });
// @ts-expect-error -- how many has to be said
void new Barrier();
// @ts-expect-error -- a semaphore is no lock
void new Condition(semaphore);
