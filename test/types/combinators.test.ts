// Compiled, never run: what the types of the combinators give and refuse.
import {
  asCompleted,
  createTask,
  ensureFuture,
  firstSuccess,
  gather,
  race,
  sleep,
  staggeredRace,
  wait,
  type Awaitable,
  type Future,
  type Joinable,
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

declare const numbers: Task<number>[];
declare const text: Future<string>;
declare const mixed: Joinable<boolean>[];
function* steps(): Generator<unknown, bigint, unknown> {
  yield;
  return 5n;
}

async function gathered(): Promise<void> {
  // Each kind of awaitable, in a tuple without `as const`.
  type<[number, string, bigint, bigint, boolean, symbol]>().of(
    await gather([numbers[0]!, text, steps, steps(), async () => true, Promise.resolve(Symbol('promise'))]),
  );
  type<[number, string]>().of(await gather([createTask(async () => 5), sleep(1, 'x')]));
  type<[]>().of(await gather([]));
  type<number[]>().of(await gather(numbers));
  type<number[]>().of(await gather(new Set(numbers)));
  type<boolean[]>().of(await gather(mixed));
  type<number[]>().of(await gather(numbers, { returnExceptions: false }));
  type<(number | Error)[]>().of(await gather(numbers, { returnExceptions: true }));
  type<[number | Error, string | Error]>().of(await gather([numbers[0]!, text], { returnExceptions: true }));
  type<(number | Error)[]>().of(await gather(new Set(numbers), { returnExceptions: true }));
  // A function gets the signal and the task of its task.
  await gather([async (signal, task) => [signal.aborted, task.name]]);
}

async function raced(): Promise<void> {
  type<number | string>().of(await race([numbers[0]!, text]));
  type<number | string>().of(await race([async () => 5, async () => 'x']));
  type<bigint>().of(await race([steps]));
  type<number>().of(await race(new Set(numbers)));
  type<number | string>().of(await firstSuccess([numbers[0]!, text]));
  type<number>().of(await firstSuccess(numbers.values()));
  type<number | bigint>().of(await staggeredRace([async () => 5, steps], 10));
  type<string>().of(await staggeredRace(new Set([async () => 'x']), 10));
}

async function waited(): Promise<void> {
  const { done, pending } = await wait(numbers, { timeout: 5, returnWhen: 'FIRST_COMPLETED' });
  type<Set<Task<number>>>().of(done);
  type<Set<Task<number>>>().of(pending);
  const both = await wait([numbers[0]!, text]);
  type<Set<Task<number> | Future<string>>>().of(both.done);
  const promised = await wait([Promise.resolve(5)]);
  type<Set<Promise<number>>>().of(promised.done);
  // To the compiler `for await` gives what is awaited already; so the iterator is asked.
  const completed = asCompleted(numbers, { timeout: 5 })[Symbol.asyncIterator]();
  const step = await completed.next();
  if (step.done !== true) type<Task<number>>().of(step.value);
  for (const next of asCompleted(numbers)) type<number>().of(await next);
}

function* inGenerator(): Generator<unknown, void, unknown> {
  type<[number, string]>().of(yield* gather([numbers[0]!, text]));
  type<string>().of(yield* race([text]));
  const { done } = yield* wait(numbers);
  type<Set<Task<number>>>().of(done);
  for (const next of asCompleted([numbers[0]!, text])) {
    type<Awaitable<number | string>>().of(next);
    type<number | string>().of(yield* next);
  }
}
void [gathered, raced, waited, inGenerator];

type<Task<number>>().of(ensureFuture(numbers[0]!));
type<Future<number>>().of(ensureFuture(async () => 5));
type<Future<bigint>>().of(ensureFuture(steps()));
type<Future<string>>().of(ensureFuture(Promise.resolve('x')));

// @ts-expect-error -- nobody can wait for a number
void gather([5]);
// @ts-expect-error -- nor for a single future in place of a list
void gather(numbers[0]!);
// @ts-expect-error -- no such option
void gather(numbers, { returnExeptions: true });
// @ts-expect-error -- no coroutines
void wait([async () => 5]);
// @ts-expect-error -- nor generators
void wait([steps()]);
// @ts-expect-error -- no such word
void wait(numbers, { returnWhen: 'FIRST' });
// @ts-expect-error -- functions only: each begins later
void staggeredRace([text], 10);
// @ts-expect-error -- a delay is wanted
void staggeredRace([async () => 5]);
// @ts-expect-error -- gives neither promise nor generator
void race([() => 5]);
