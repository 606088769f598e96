// The part of test_locks that is about conditions.
import { Condition, createTask, Lock, sleep, type Task } from '../../src/index.js';
import { attempt, log, outcome, state, type Program } from './support/program.js';
import { timeout } from './support/timeouts.js';

/** Tasks that wait for a condition and tell when they were woken. */
function waiters(condition: Condition, names: string): Task<void>[] {
  function* waits(name: string): Generator<unknown, void, unknown> {
    yield* condition.withLock(function* () {
      try {
        log(name, yield* condition.wait());
      } catch (error) {
        log(name, error, condition.locked);
        throw error;
      }
    });
  }
  return [...names].map((name) => createTask(waits(name)));
}

// The same in Python, for texts that need it.
const WAITERS = `
        def waiters(condition, names):
            async def waits(name):
                async with condition:
                    try:
                        log(name, await condition.wait())
                    except CancelledError as error:
                        log(name, error, condition.locked())
                        raise
            return [create_task(waits(name)) for name in names]
`;

export const conditions: readonly Program[] = [
  {
    name: 'a condition can be waited for and notified only by who holds its lock',
    covers: 'ConditionTests: wait_unacquired, wait_for_unacquired, notify_unacquired, notify_all_unacquired',
    python: `
        async def main():
            condition = Condition()
            log(await outcome(condition.wait()), await outcome(condition.wait_for(lambda: False)))
            log(attempt(condition.notify), attempt(condition.notify_all))
      `,
    *main() {
      const condition = new Condition();
      function* waits() {
        return yield* condition.wait();
      }
      function* waitsFor() {
        return yield* condition.waitFor(() => false);
      }
      log(yield* outcome(waits() as any), yield* outcome(waitsFor() as any));
      log(
        attempt(() => condition.notify()),
        attempt(() => condition.notifyAll()),
      );
    },
  },
  {
    name: 'notify wakes as many as it is told, the oldest first',
    covers: 'ConditionTests: wait, notify',
    python: `${WAITERS}
        async def main():
            condition = Condition()
            tasks = waiters(condition, "abcd")
            await sleep(0)
            for n in (1, 2, 5):
                async with condition:
                    condition.notify(n)
                await sleep(0.01)
                log("notified", n)
      `,
    *main() {
      const condition = new Condition();
      waiters(condition, 'abcd');
      yield* sleep(0);
      for (const n of [1, 2, 5]) {
        yield* condition.withLock(function* () {
          condition.notify(n);
        });
        yield* sleep(10);
        log('notified', n);
      }
    },
  },
  {
    name: 'notify_all wakes everybody, one after the other as the lock is free',
    covers: 'ConditionTests: notify_all',
    python: `${WAITERS}
        async def main():
            condition = Condition()
            tasks = waiters(condition, "abc")
            await sleep(0)
            async with condition:
                condition.notify_all()
                await sleep(0)
                log("still locked")
            for task in tasks:
                await task
      `,
    *main() {
      const condition = new Condition();
      const tasks = waiters(condition, 'abc');
      yield* sleep(0);
      yield* condition.withLock(function* () {
        condition.notifyAll();
        yield* sleep(0);
        log('still locked');
      });
      for (const task of tasks) yield* task;
    },
  },
  {
    name: 'a notification without anybody who waits is lost',
    covers: 'ConditionTests: notify',
    python: `${WAITERS}
        async def main():
            condition = Condition()
            async with condition:
                condition.notify()
            task, = waiters(condition, "a")
            await sleep(0.01)
            log(state(task))
            async with condition:
                condition.notify()
            await task
      `,
    *main() {
      const condition = new Condition();
      yield* condition.withLock(function* () {
        condition.notify();
      });
      const task = waiters(condition, 'a')[0]!;
      yield* sleep(10);
      log(state(task));
      yield* condition.withLock(function* () {
        condition.notify();
      });
      yield* task;
    },
  },
  {
    name: 'waiting for a predicate asks it after every notification, and gives what it gave',
    covers: 'ConditionTests: wait_for',
    python: `
        async def main():
            condition = Condition()
            items = []
            async def waits():
                async with condition:
                    def enough():
                        log("asked", len(items))
                        return len(items) if len(items) >= 2 else 0
                    log("got", await condition.wait_for(enough))
            task = create_task(waits())
            await sleep(0)
            for _ in range(2):
                async with condition:
                    items.append(1)
                    condition.notify()
                await sleep(0.01)
            await task
      `,
    *main() {
      const condition = new Condition();
      const items: number[] = [];
      const task = createTask(function* () {
        yield* condition.withLock(function* () {
          function enough() {
            log('asked', items.length);
            return items.length >= 2 ? items.length : 0;
          }
          log('got', yield* condition.waitFor(enough));
        });
      });
      yield* sleep(0);
      for (let i = 0; i < 2; i++) {
        yield* condition.withLock(function* () {
          items.push(1);
          condition.notify();
        });
        yield* sleep(10);
      }
      yield* task;
    },
  },
  {
    name: 'who is cancelled while waiting has the lock again when it hears of it',
    covers: 'ConditionTests: wait_cancel, cancelled_wakeup',
    python: `${WAITERS}
        async def main():
            condition = Condition()
            task, = waiters(condition, "a")
            await sleep(0)
            task.cancel()
            log(await outcome(task), condition.locked())
      `,
    *main() {
      const condition = new Condition();
      const task = waiters(condition, 'a')[0]!;
      yield* sleep(0);
      task.cancel();
      log(yield* outcome(task), condition.locked);
    },
  },
  {
    name: 'who is cancelled while somebody else holds the lock waits for it first',
    covers: 'ConditionTests: wait_cancel_contested, cancelled_error_re_aquire',
    python: `${WAITERS}
        async def main():
            condition = Condition()
            task, = waiters(condition, "a")
            await sleep(0)
            await condition.acquire()
            task.cancel("first")
            await sleep(0.01)
            log(state(task))
            task.cancel("second")
            await sleep(0.01)
            log(state(task), task.cancelling())
            condition.release()
            log(await outcome(task), condition.locked())
      `,
    *main() {
      const condition = new Condition();
      const task = waiters(condition, 'a')[0]!;
      yield* sleep(0);
      yield* condition.acquire();
      task.cancel('first');
      yield* sleep(10);
      log(state(task));
      task.cancel('second');
      yield* sleep(10);
      log(state(task), task.cancelling());
      condition.release();
      log(yield* outcome(task), condition.locked);
    },
  },
  {
    name: 'who is notified and cancelled hands the notification on',
    covers: 'ConditionTests: wait_cancel_after_notify, cancelled_error_wakeup',
    python: `${WAITERS}
        async def main():
            condition = Condition()
            tasks = waiters(condition, "abc")
            await sleep(0)
            async with condition:
                condition.notify()
                tasks[0].cancel()
            await sleep(0.01)
            log(*map(state, tasks))
            for task in tasks[1:]:
                task.cancel()
            for task in tasks:
                await outcome(task)
      `,
    *main() {
      const condition = new Condition();
      const tasks = waiters(condition, 'abc');
      yield* sleep(0);
      yield* condition.withLock(function* () {
        condition.notify();
        tasks[0]!.cancel();
      });
      yield* sleep(10);
      log(...tasks.map(state));
      for (const task of tasks.slice(1)) task.cancel();
      for (const task of tasks) yield* outcome(task);
    },
  },
  {
    name: 'who is notified, and cancelled while it waits for the lock',
    covers: 'ConditionTests: cancelled_wakeup_relock, wait_cancel_after_notify',
    python: `${WAITERS}
        async def main():
            condition = Condition()
            tasks = waiters(condition, "ab")
            await sleep(0)
            await condition.acquire()
            condition.notify()
            await sleep(0.01)
            tasks[0].cancel()
            await sleep(0.01)
            log(*map(state, tasks))
            condition.release()
            await sleep(0.01)
            log(*map(state, tasks))
            tasks[1].cancel()
            await outcome(tasks[1])
      `,
    *main() {
      const condition = new Condition();
      const tasks = waiters(condition, 'ab');
      yield* sleep(0);
      yield* condition.acquire();
      condition.notify();
      yield* sleep(10);
      tasks[0]!.cancel();
      yield* sleep(10);
      log(...tasks.map(state));
      condition.release();
      yield* sleep(10);
      log(...tasks.map(state));
      tasks[1]!.cancel();
      yield* outcome(tasks[1]!);
    },
  },
  {
    name: 'a timeout around waiting for a condition',
    covers: 'ConditionTests: timeout_in_block',
    python: `
        async def main():
            condition = Condition()
            async with condition:
                try:
                    async with timeout(0.01):
                        await condition.wait()
                except TimeoutError as error:
                    log(error, condition.locked())
            log(condition.locked())
      `,
    *main() {
      const condition = new Condition();
      yield* condition.withLock(function* () {
        try {
          yield* timeout(10, function* () {
            yield* condition.wait();
          });
        } catch (error) {
          log(error, condition.locked);
        }
      });
      log(condition.locked);
    },
  },
  {
    name: 'two conditions share a lock',
    covers: 'ConditionTests: explicit_lock, context_manager',
    python: `
        async def main():
            lock = Lock()
            full, empty = Condition(lock), Condition(lock)
            async def waits(name, condition):
                async with condition:
                    await condition.wait()
                    log(name, lock.locked())
            tasks = [create_task(waits("full", full)), create_task(waits("empty", empty))]
            await sleep(0)
            async with lock:
                log(full.locked(), empty.locked())
                empty.notify()
            await sleep(0.01)
            async with lock:
                full.notify()
            await tasks[0]
      `,
    *main() {
      const lock = new Lock();
      const [full, empty] = [new Condition(lock), new Condition(lock)];
      function* waits(name: string, condition: Condition) {
        yield* condition.withLock(function* () {
          yield* condition.wait();
          log(name, lock.locked);
        });
      }
      const tasks = [createTask(waits('full', full)), createTask(waits('empty', empty))];
      yield* sleep(0);
      yield* lock.withLock(function* () {
        log(full.locked, empty.locked);
        empty.notify();
      });
      yield* sleep(10);
      yield* lock.withLock(function* () {
        full.notify();
      });
      yield* tasks[0]!;
    },
  },
];
