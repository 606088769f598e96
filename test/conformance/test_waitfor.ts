// wait_for: one awaitable, a time, and everything that can come in between.
import { createTask, currentTask, shield, sleep } from '../../src/index.js';
import { Boom, future, log, loop, outcome, state, type Suite } from './support/program.js';
import { waitFor } from './support/timeouts.js';

function* ends(name: string, delay: number, error?: Error): Generator<unknown, string, unknown> {
  try {
    log(name, 'begins');
    yield* sleep(delay);
  } catch (cancellation) {
    log(name, 'cancelled');
    throw cancellation;
  }
  log(name, 'ends');
  if (error !== undefined) throw error;
  return name;
}

// The same in Python, for texts that need it.
const ENDS = `
        async def ends(name, delay, error=None):
            try:
                log(name, "begins")
                await sleep(delay)
            except CancelledError:
                log(name, "cancelled")
                raise
            log(name, "ends")
            if error is not None:
                raise error
            return name
`;

export const waitFors: Suite = {
  module: 'test_waitfor',
  programs: [
    {
      name: 'what ends in time gives its value or its error',
      covers: 'AsyncioWaitForTest: wait_for',
      python: `${ENDS}
        async def main():
            log(await wait_for(ends("a", 0.01), 0.05))
            log(await outcome(wait_for(ends("b", 0.01, Boom("b")), 0.05)))
            await sleep(0.1)
      `,
      *main() {
        log(yield* waitFor(ends('a', 10), 50));
        log(yield* outcome(waitFor(ends('b', 10, new Boom('b')), 50)));
        yield* sleep(100);
      },
    },
    {
      name: 'what takes too long is cancelled, and a TimeoutError is thrown when it has ended',
      covers: 'AsyncioWaitForTest: asyncio_wait_for_timeout, wait_for_waits_for_task_cancellation',
      python: `
        async def slow():
            try:
                await sleep(1)
            finally:
                await sleep(0.02)
                log("cleaned up")
        async def main():
            task = create_task(slow())
            log(await outcome(wait_for(task, 0.01)), state(task), current_task().cancelling())
      `,
      *main() {
        const task = createTask(function* () {
          try {
            yield* sleep(1000);
          } finally {
            yield* sleep(20);
            log('cleaned up');
          }
        });
        log(yield* outcome(waitFor(task, 10)), state(task), currentTask()!.cancelling());
      },
    },
    {
      name: 'without a time it waits for ever',
      covers: 'AsyncioWaitForTest: wait_for_blocking; WaitForShieldTests: none_timeout',
      python: `${ENDS}
        async def main():
            log(await wait_for(ends("a", 10), None))
      `,
      *main() {
        log(yield* waitFor(ends('a', 10_000), null));
      },
    },
    {
      name: 'no time at all: what is done is given, in the same turn',
      covers: 'AsyncioWaitForTest: wait_for_timeout_less_then_0_or_0_future_done',
      python: `
        async def main():
            f = future()
            f.set_result("done")
            for delay in (0, -1):
                log(await wait_for(f, delay))
      `,
      *main() {
        const f = future();
        f.setResult('done');
        for (const delay of [0, -1000]) log(yield* waitFor(f, delay));
      },
    },
    {
      name: 'no time at all: a coroutine is never entered',
      covers: 'AsyncioWaitForTest: wait_for_timeout_less_then_0_or_0_coroutine_do_not_started',
      python: `${ENDS}
        async def main():
            for delay in (0, -1):
                log(await outcome(wait_for(ends("a", 0), delay)))
      `,
      *main() {
        for (const delay of [0, -1000]) log(yield* outcome(waitFor(ends('a', 0), delay)));
      },
    },
    {
      name: 'no time at all: a task that runs is cancelled and waited for',
      covers:
        'AsyncioWaitForTest: wait_for_timeout_less_then_0_or_0, wait_for_waits_for_task_cancellation_w_timeout_0',
      python: `
        async def slow():
            try:
                await sleep(1)
            finally:
                await sleep(0.02)
                log("cleaned up")
        async def main():
            for delay in (0, -1):
                task = create_task(slow())
                await sleep(0)
                log(await outcome(wait_for(task, delay)), state(task))
      `,
      *main() {
        function* slow() {
          try {
            yield* sleep(1000);
          } finally {
            yield* sleep(20);
            log('cleaned up');
          }
        }
        for (const delay of [0, -1000]) {
          const task = createTask(slow());
          yield* sleep(0);
          log(yield* outcome(waitFor(task, delay)), state(task));
        }
      },
    },
    {
      name: 'a value that is ready when the time is up',
      covers: 'AsyncioWaitForTest: wait_for_race_condition',
      python: `
        async def main():
            f = future()
            loop().call_later(0.01, f.set_result, "value")
            log(await outcome(wait_for(f, 0.01)))
      `,
      *main() {
        const f = future();
        loop().callLater(10, () => f.setResult('value'));
        log(yield* outcome(waitFor(f, 10)));
      },
      deviation: { reason: 'a value wins by default', trace: ['10ms/2 value'] },
    },
    {
      name: 'a value that comes before the time is up, in one turn with it',
      covers: 'AsyncioWaitForTest: wait_for_race_condition',
      python: `
        async def main():
            f = future()
            def both():
                f.set_result("value")
            loop().call_later(0.005, both)
            log(await outcome(wait_for(f, 0.01)))
      `,
      *main() {
        const f = future();
        loop().callLater(5, () => f.setResult('value'));
        log(yield* outcome(waitFor(f, 10)));
      },
    },
    {
      name: 'a task that refuses to be cancelled gives its late value',
      covers: 'AsyncioWaitForTest: wait_for_cancel_suppressed',
      python: `
        async def stubborn():
            try:
                await sleep(1)
            except CancelledError:
                log("refuses")
                await sleep(0.01)
                return "late"
        async def main():
            log(await outcome(wait_for(stubborn(), 0.01)))
            task = create_task(stubborn())
            log(await outcome(wait_for(task, 0.01)), state(task))
      `,
      *main() {
        function* stubborn() {
          try {
            yield* sleep(1000);
          } catch {
            log('refuses');
            yield* sleep(10);
            return 'late';
          }
          return 'never';
        }
        log(yield* outcome(waitFor(stubborn(), 10)));
        const task = createTask(stubborn());
        log(yield* outcome(waitFor(task, 10)), state(task));
      },
    },
    {
      name: 'an error thrown while being cancelled is what comes of it',
      covers: 'AsyncioWaitForTest: wait_for_reraises_exception_during_cancellation',
      python: `
        async def fails():
            try:
                await sleep(1)
            finally:
                raise Boom("clean-up")
        async def main():
            log(await outcome(wait_for(fails(), 0.01)))
      `,
      *main() {
        function* fails() {
          try {
            yield* sleep(1000);
          } catch {
            throw new Boom('clean-up');
          }
        }
        log(yield* outcome(waitFor(fails(), 10)));
      },
    },
    {
      name: 'cancelling who waits cancels what is waited for',
      covers: 'AsyncioWaitForTest: cancel_wait_for, cancel_blocking_wait_for, asyncio_wait_for_cancelled',
      python: `${ENDS}
        async def main():
            for delay in (1, None):
                async def waits():
                    return await wait_for(ends("inner", 2), delay)
                task = create_task(waits())
                await sleep(0.01)
                task.cancel("outside")
                log(await outcome(task), state(task))
      `,
      *main() {
        for (const delay of [1000, null]) {
          const task = createTask(function* () {
            return yield* waitFor(ends('inner', 2000), delay);
          });
          yield* sleep(10);
          task.cancel('outside');
          log(yield* outcome(task), state(task));
        }
      },
    },
    {
      name: 'cancelling who waits when the value is there already',
      covers: 'AsyncioWaitForTest: wait_for_cancellation_race_condition, wait_for_issue86296',
      python: `
        async def main():
            f = future()
            async def waits():
                return await wait_for(f, 1)
            task = create_task(waits())
            await sleep(0)
            f.set_result("value")
            log(task.cancel())
            log(await outcome(task), state(task))
            async def inner():
                return "value"
            async def waits_for_coroutine():
                return await wait_for(inner(), 1)
            task = create_task(waits_for_coroutine())
            await sleep(0)
            log(task.cancel())
            log(await outcome(task), state(task))
      `,
      *main() {
        const f = future();
        let task = createTask(function* () {
          return yield* waitFor(f, 1000);
        });
        yield* sleep(0);
        f.setResult('value');
        log(task.cancel());
        log(yield* outcome(task), state(task));
        function* inner() {
          return 'value';
        }
        task = createTask(function* () {
          return yield* waitFor(inner(), 1000);
        });
        yield* sleep(0);
        log(task.cancel());
        log(yield* outcome(task), state(task));
      },
    },
    {
      name: 'cancelling who waits in the turn in which the time is up',
      covers: 'AsyncioWaitForTest: wait_for_cancellation_race_condition',
      python: `${ENDS}
        async def main():
            async def waits():
                return await wait_for(ends("inner", 1), 0.01)
            task = create_task(waits())
            await sleep(0)
            loop().call_later(0.01, task.cancel)
            log(await outcome(task), state(task), task.cancelling())
      `,
      *main() {
        const task = createTask(function* () {
          return yield* waitFor(ends('inner', 1000), 10);
        });
        yield* sleep(0);
        loop().callLater(10, () => task.cancel());
        log(yield* outcome(task), state(task), task.cancelling());
      },
    },
    {
      name: 'what is shielded goes on behind the time',
      covers: 'WaitForShieldTests: shielded_timeout, zero_timeout',
      python: `${ENDS}
        async def main():
            for delay in (0.01, 0):
                inner = create_task(ends("inner", 0.02))
                await sleep(0)
                log(await outcome(wait_for(shield(inner), delay)), state(inner))
                log(await inner)
      `,
      *main() {
        for (const delay of [10, 0]) {
          const inner = createTask(ends('inner', 20));
          yield* sleep(0);
          log(yield* outcome(waitFor(shield(inner), delay)), state(inner));
          log(yield* inner);
        }
      },
    },
    {
      name: 'one within the other: the shorter time counts',
      python: `${ENDS}
        async def main():
            log(await outcome(wait_for(wait_for(ends("a", 1), 0.01), 0.02)))
            log(await outcome(wait_for(wait_for(ends("b", 1), 0.02), 0.01)))
      `,
      *main() {
        function* inner(name: string, delay: number) {
          return yield* waitFor(ends(name, 1000), delay);
        }
        log(yield* outcome(waitFor(inner('a', 10), 20)));
        log(yield* outcome(waitFor(inner('b', 20), 10)));
      },
    },
    {
      name: 'a future that is cancelled by somebody else is no matter of time',
      covers: 'AsyncioWaitForTest: asyncio_wait_for_cancelled',
      python: `
        async def main():
            f = future()
            loop().call_later(0.01, f.cancel)
            log(await outcome(wait_for(f, 0.05)), current_task().cancelling())
      `,
      *main() {
        const f = future();
        loop().callLater(10, () => f.cancel());
        log(yield* outcome(waitFor(f, 50)), currentTask()!.cancelling());
      },
    },
  ],
};
