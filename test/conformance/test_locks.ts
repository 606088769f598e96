// Locks, events and semaphores, under cancellation most of all. Conditions and barriers are next door.
import { BoundedSemaphore, createTask, Event, Lock, Semaphore, sleep, type Task } from '../../src/index.js';
import { attempt, Boom, log, outcome, state, type Suite } from './support/program.js';
import { barriers } from './test_locks_barrier.js';
import { conditions } from './test_locks_condition.js';

function* cancelAndWait(...all: Task<unknown>[]): Generator<unknown, void, unknown> {
  for (const task of all) task.cancel();
  for (const task of all) yield* outcome(task);
}

export const locks: Suite = {
  module: 'test_locks',
  programs: [
    {
      name: 'a free lock is acquired without a turn; releasing one that is free is refused',
      covers: 'LockTests: lock, acquire, release_not_acquired, release_no_waiters',
      python: `
        async def main():
            lock = Lock()
            log(lock.locked())
            await lock.acquire()
            log(lock.locked())
            lock.release()
            log(lock.locked(), attempt(lock.release))
      `,
      *main() {
        const lock = new Lock();
        log(lock.locked);
        yield* lock.acquire();
        log(lock.locked);
        lock.release();
        log(
          lock.locked,
          attempt(() => lock.release()),
        );
      },
    },
    {
      name: 'a lock is handed on in the order in which it was asked for',
      covers: 'LockTests: acquire, lock_by_with_statement',
      python: `
        async def main():
            lock = Lock()
            async def user(name):
                async with lock:
                    log(name, "in")
                    await sleep(0)
                    log(name, "out")
            tasks = [create_task(user(name)) for name in "abc"]
            for task in tasks:
                await task
            log(lock.locked())
      `,
      *main() {
        const lock = new Lock();
        function* user(name: string) {
          yield* lock.withLock(function* () {
            log(name, 'in');
            yield* sleep(0);
            log(name, 'out');
          });
        }
        for (const task of [...'abc'].map((name) => createTask(user(name)))) yield* task;
        log(lock.locked);
      },
    },
    {
      name: 'a lock is released when its body throws',
      covers: 'LockTests: context_manager',
      python: `
        async def main():
            lock = Lock()
            try:
                async with lock:
                    log(lock.locked())
                    raise Boom("body")
            except Boom as error:
                log(error, lock.locked())
      `,
      *main() {
        const lock = new Lock();
        try {
          yield* lock.withLock(function* () {
            log(lock.locked);
            throw new Boom('body');
          });
        } catch (error) {
          log(error, lock.locked);
        }
      },
    },
    {
      name: 'a lock that was released is free for a turn, and still nobody overtakes who was woken',
      covers: 'LockTests: acquire, cancel_release_race',
      python: `
        async def main():
            lock = Lock()
            await lock.acquire()
            async def user(name):
                await lock.acquire()
                log(name)
                lock.release()
            first = create_task(user("first"))
            await sleep(0)
            lock.release()
            log(lock.locked())
            second = create_task(user("second"))
            await lock.acquire()
            log("main")
            lock.release()
            await second
      `,
      *main() {
        const lock = new Lock();
        yield* lock.acquire();
        function* user(name: string) {
          yield* lock.acquire();
          log(name);
          lock.release();
        }
        createTask(user('first'));
        yield* sleep(0);
        lock.release();
        log(lock.locked);
        const second = createTask(user('second'));
        yield* lock.acquire();
        log('main');
        lock.release();
        yield* second;
      },
    },
    {
      name: 'a waiter of a lock that is cancelled leaves the line',
      covers: 'LockTests: acquire_cancel, finished_waiter_cancelled',
      python: `
        async def main():
            lock = Lock()
            await lock.acquire()
            async def user(name):
                try:
                    await lock.acquire()
                    log(name)
                    lock.release()
                except CancelledError:
                    log(name, "cancelled")
                    raise
            tasks = [create_task(user(name)) for name in "abc"]
            await sleep(0)
            tasks[1].cancel()
            await sleep(0)
            lock.release()
            for task in tasks:
                await outcome(task)
            log(lock.locked(), *map(state, tasks))
      `,
      *main() {
        const lock = new Lock();
        yield* lock.acquire();
        function* user(name: string) {
          try {
            yield* lock.acquire();
            log(name);
            lock.release();
          } catch (error) {
            log(name, 'cancelled');
            throw error;
          }
        }
        const tasks = [...'abc'].map((name) => createTask(user(name)));
        yield* sleep(0);
        tasks[1]!.cancel();
        yield* sleep(0);
        lock.release();
        for (const task of tasks) yield* outcome(task);
        log(lock.locked, ...tasks.map(state));
      },
    },
    {
      name: 'a waiter of a lock that is woken and cancelled wakes the next one',
      covers: 'LockTests: cancel_race, cancel_release_race',
      python: `
        async def main():
            lock = Lock()
            await lock.acquire()
            async def user(name):
                await lock.acquire()
                log(name)
                lock.release()
            tasks = [create_task(user(name)) for name in "abc"]
            await sleep(0)
            lock.release()
            tasks[0].cancel()
            for task in tasks:
                log(await outcome(task))
            log(lock.locked())
      `,
      *main() {
        const lock = new Lock();
        yield* lock.acquire();
        function* user(name: string) {
          yield* lock.acquire();
          log(name);
          lock.release();
        }
        const tasks = [...'abc'].map((name) => createTask(user(name)));
        yield* sleep(0);
        lock.release();
        tasks[0]!.cancel();
        for (const task of tasks) log(yield* outcome(task));
        log(lock.locked);
      },
    },
    {
      name: 'all waiters of a lock are cancelled: who comes next gets it at once',
      covers: 'LockTests: finished_waiter_cancelled',
      python: `
        async def main():
            lock = Lock()
            await lock.acquire()
            async def user():
                await lock.acquire()
            tasks = [create_task(user()) for _ in range(2)]
            await sleep(0)
            for task in tasks:
                task.cancel()
            lock.release()
            await lock.acquire()
            log("acquired", *map(state, tasks))
            await sleep(0)
            log(lock.locked(), *map(state, tasks))
      `,
      *main() {
        const lock = new Lock();
        yield* lock.acquire();
        const tasks = [0, 1].map(() =>
          createTask(function* () {
            yield* lock.acquire();
          }),
        );
        yield* sleep(0);
        for (const task of tasks) task.cancel();
        lock.release();
        yield* lock.acquire();
        log('acquired', ...tasks.map(state));
        yield* sleep(0);
        log(lock.locked, ...tasks.map(state));
      },
    },
    {
      name: 'a lock released in the turn in which its waiter is cancelled',
      covers: 'LockTests: cancel_release_race',
      python: `
        async def main():
            lock = Lock()
            await lock.acquire()
            async def user(name):
                try:
                    await lock.acquire()
                    log(name)
                except CancelledError:
                    log(name, "cancelled", lock.locked())
                    raise
            tasks = [create_task(user(name)) for name in "ab"]
            await sleep(0)
            tasks[0].cancel()
            lock.release()
            for task in tasks:
                log(await outcome(task))
            log(lock.locked())
      `,
      *main() {
        const lock = new Lock();
        yield* lock.acquire();
        function* user(name: string) {
          try {
            yield* lock.acquire();
            log(name);
          } catch (error) {
            log(name, 'cancelled', lock.locked);
            throw error;
          }
        }
        const tasks = [...'ab'].map((name) => createTask(user(name)));
        yield* sleep(0);
        tasks[0]!.cancel();
        lock.release();
        for (const task of tasks) log(yield* outcome(task));
        log(lock.locked);
      },
    },

    // Events

    {
      name: 'waiting for an event that is set takes no turn',
      covers: 'EventTests: wait_on_set',
      python: `
        async def main():
            event = Event()
            log(event.is_set())
            event.set()
            log(event.is_set(), await event.wait(), await event.wait())
      `,
      *main() {
        const event = new Event();
        log(event.isSet);
        event.set();
        log(event.isSet, yield* event.wait(), yield* event.wait());
      },
    },
    {
      name: 'an event wakes all who wait, in their order',
      covers: 'EventTests: wait',
      python: `
        async def main():
            event = Event()
            async def waits(name):
                log(name, await event.wait())
            tasks = [create_task(waits(name)) for name in "abc"]
            await sleep(0)
            event.set()
            event.set()
            for task in tasks:
                await task
      `,
      *main() {
        const event = new Event();
        function* waits(name: string) {
          log(name, yield* event.wait());
        }
        const tasks = [...'abc'].map((name) => createTask(waits(name)));
        yield* sleep(0);
        event.set();
        event.set();
        for (const task of tasks) yield* task;
      },
    },
    {
      name: 'an event that is set and cleared at once wakes who waits, though it is clear',
      covers: 'EventTests: clear, clear_with_waiters',
      python: `
        async def main():
            event = Event()
            async def waits(name):
                log(name, await event.wait(), event.is_set())
            early = [create_task(waits(name)) for name in "ab"]
            await sleep(0)
            event.set()
            event.clear()
            late = create_task(waits("late"))
            for task in early:
                await task
            log(state(late))
            event.set()
            await late
      `,
      *main() {
        const event = new Event();
        function* waits(name: string) {
          log(name, yield* event.wait(), event.isSet);
        }
        const early = [...'ab'].map((name) => createTask(waits(name)));
        yield* sleep(0);
        event.set();
        event.clear();
        const late = createTask(waits('late'));
        for (const task of early) yield* task;
        log(state(late));
        event.set();
        yield* late;
      },
    },
    {
      name: 'a waiter of an event that is cancelled concerns nobody else',
      covers: 'EventTests: wait_cancel',
      python: `
        async def main():
            event = Event()
            async def waits(name):
                log(name, await event.wait())
            tasks = [create_task(waits(name)) for name in "abc"]
            await sleep(0)
            tasks[0].cancel()
            event.set()
            tasks[1].cancel()
            for task in tasks:
                log(await outcome(task))
      `,
      *main() {
        const event = new Event();
        function* waits(name: string) {
          log(name, yield* event.wait());
        }
        const tasks = [...'abc'].map((name) => createTask(waits(name)));
        yield* sleep(0);
        tasks[0]!.cancel();
        event.set();
        tasks[1]!.cancel();
        for (const task of tasks) log(yield* outcome(task));
      },
    },

    // Semaphores

    {
      name: 'a semaphore has as many permits as it was given, and no less than none',
      covers: 'SemaphoreTests: semaphore, semaphore_value, initial_value_zero, release_no_waiters',
      python: `
        async def main():
            semaphore = Semaphore(2)
            log(semaphore.locked())
            await semaphore.acquire()
            await semaphore.acquire()
            log(semaphore.locked())
            semaphore.release()
            log(semaphore.locked())
            log(attempt(Semaphore, -1), Semaphore(0).locked())
      `,
      *main() {
        const semaphore = new Semaphore(2);
        log(semaphore.locked);
        yield* semaphore.acquire();
        yield* semaphore.acquire();
        log(semaphore.locked);
        semaphore.release();
        log(semaphore.locked);
        log(
          attempt(() => new Semaphore(-1)),
          new Semaphore(0).locked,
        );
      },
    },
    {
      name: 'a bounded semaphore takes back no more than it gave',
      covers: 'SemaphoreTests: release_not_acquired',
      python: `
        async def main():
            semaphore = BoundedSemaphore(1)
            log(attempt(semaphore.release))
            await semaphore.acquire()
            log(attempt(semaphore.release), attempt(semaphore.release))
      `,
      *main() {
        const semaphore = new BoundedSemaphore(1);
        log(attempt(() => semaphore.release()));
        yield* semaphore.acquire();
        log(
          attempt(() => semaphore.release()),
          attempt(() => semaphore.release()),
        );
      },
    },
    {
      name: 'permits are given in the order in which they were asked for',
      covers: 'SemaphoreTests: acquire, acquire_fifo_order',
      python: `
        async def main():
            semaphore = Semaphore(1)
            async def user(name):
                await semaphore.acquire()
                log(name, 1)
                await sleep(0.01)
                semaphore.release()
                await semaphore.acquire()
                log(name, 2)
                await sleep(0.01)
                semaphore.release()
            tasks = [create_task(user(name)) for name in "abc"]
            for task in tasks:
                await task
      `,
      *main() {
        const semaphore = new Semaphore(1);
        function* user(name: string) {
          yield* semaphore.acquire();
          log(name, 1);
          yield* sleep(10);
          semaphore.release();
          yield* semaphore.acquire();
          log(name, 2);
          yield* sleep(10);
          semaphore.release();
        }
        for (const task of [...'abc'].map((name) => createTask(user(name)))) yield* task;
      },
    },
    {
      name: 'a permit that is handed on is nobody else s, though nobody has it yet',
      covers: 'SemaphoreTests: acquire_fifo_order_2, acquire_fifo_order_3',
      python: `
        async def main():
            semaphore = Semaphore(1)
            async def first():
                await semaphore.acquire()
                log("first")
                await sleep(0)
                semaphore.release()
                log(semaphore.locked())
                await semaphore.acquire()
                log("first again")
                semaphore.release()
            async def second():
                await semaphore.acquire()
                log("second")
                await sleep(0)
                semaphore.release()
            tasks = [create_task(first()), create_task(second())]
            for task in tasks:
                await task
            log(semaphore.locked())
      `,
      *main() {
        const semaphore = new Semaphore(1);
        function* first() {
          yield* semaphore.acquire();
          log('first');
          yield* sleep(0);
          semaphore.release();
          log(semaphore.locked);
          yield* semaphore.acquire();
          log('first again');
          semaphore.release();
        }
        function* second() {
          yield* semaphore.acquire();
          log('second');
          yield* sleep(0);
          semaphore.release();
        }
        const tasks = [createTask(first()), createTask(second())];
        for (const task of tasks) yield* task;
        log(semaphore.locked);
      },
    },
    {
      name: 'a waiter of a semaphore that is cancelled leaves the line',
      covers: 'SemaphoreTests: acquire_cancel, acquire_no_hang',
      python: `
        async def main():
            semaphore = Semaphore(0)
            async def user(name):
                await semaphore.acquire()
                log(name)
            tasks = [create_task(user(name)) for name in "abc"]
            await sleep(0)
            tasks[0].cancel()
            await sleep(0)
            semaphore.release()
            semaphore.release()
            for task in tasks:
                log(await outcome(task))
            log(semaphore.locked())
      `,
      *main() {
        const semaphore = new Semaphore(0);
        function* user(name: string) {
          yield* semaphore.acquire();
          log(name);
        }
        const tasks = [...'abc'].map((name) => createTask(user(name)));
        yield* sleep(0);
        tasks[0]!.cancel();
        yield* sleep(0);
        semaphore.release();
        semaphore.release();
        for (const task of tasks) log(yield* outcome(task));
        log(semaphore.locked);
      },
    },
    {
      name: 'a waiter of a semaphore that is woken and cancelled hands its permit on',
      covers: 'SemaphoreTests: acquire_cancel_before_awoken, acquire_hang',
      python: `
        async def main():
            semaphore = Semaphore(0)
            async def user(name):
                await semaphore.acquire()
                log(name)
            tasks = [create_task(user(name)) for name in "abcd"]
            await sleep(0)
            tasks[0].cancel()
            tasks[1].cancel()
            semaphore.release()
            tasks[2].cancel()
            for task in tasks:
                log(await outcome(task))
            log(semaphore.locked())
      `,
      *main() {
        const semaphore = new Semaphore(0);
        function* user(name: string) {
          yield* semaphore.acquire();
          log(name);
        }
        const tasks = [...'abcd'].map((name) => createTask(user(name)));
        yield* sleep(0);
        tasks[0]!.cancel();
        tasks[1]!.cancel();
        semaphore.release();
        tasks[2]!.cancel();
        for (const task of tasks) log(yield* outcome(task));
        log(semaphore.locked);
      },
    },
    {
      name: 'several permits wake several waiters at once',
      covers: 'SemaphoreTests: acquire_fifo_order_4',
      python: `
        async def main():
            semaphore = Semaphore(0)
            async def user(name):
                await semaphore.acquire()
                log(name, semaphore.locked())
            tasks = [create_task(user(name)) for name in "abc"]
            await sleep(0)
            for _ in range(4):
                semaphore.release()
            log(semaphore.locked())
            for task in tasks:
                await task
            log(semaphore.locked())
      `,
      *main() {
        const semaphore = new Semaphore(0);
        function* user(name: string) {
          yield* semaphore.acquire();
          log(name, semaphore.locked);
        }
        const tasks = [...'abc'].map((name) => createTask(user(name)));
        yield* sleep(0);
        for (let i = 0; i < 4; i++) semaphore.release();
        log(semaphore.locked);
        for (const task of tasks) yield* task;
        log(semaphore.locked);
      },
    },
    {
      name: 'a semaphore limits how many are inside',
      covers: 'SemaphoreTests: acquire',
      python: `
        async def main():
            semaphore = Semaphore(2)
            async def user(name):
                async with semaphore:
                    log(name, "in")
                    await sleep(0.01)
                log(name, "out")
            tasks = [create_task(user(name)) for name in "abcd"]
            for task in tasks:
                await task
      `,
      *main() {
        const semaphore = new Semaphore(2);
        function* user(name: string) {
          yield* semaphore.withPermit(function* () {
            log(name, 'in');
            yield* sleep(10);
          });
          log(name, 'out');
        }
        for (const task of [...'abcd'].map((name) => createTask(user(name)))) yield* task;
      },
    },
    {
      name: 'cancelling everybody in the line of a semaphore leaves its permits as they were',
      covers: 'SemaphoreTests: acquire_no_hang',
      python: `
        async def main():
            semaphore = Semaphore(1)
            await semaphore.acquire()
            async def user():
                async with semaphore:
                    log("never")
            tasks = [create_task(user()) for _ in range(3)]
            await sleep(0)
            for task in tasks:
                task.cancel()
            for task in tasks:
                await outcome(task)
            log(semaphore.locked())
            semaphore.release()
            log(semaphore.locked())
      `,
      *main() {
        const semaphore = new Semaphore(1);
        yield* semaphore.acquire();
        const tasks = [0, 1, 2].map(() =>
          createTask(function* () {
            yield* semaphore.withPermit(function* () {
              log('never');
            });
          }),
        );
        yield* sleep(0);
        yield* cancelAndWait(...tasks);
        log(semaphore.locked);
        semaphore.release();
        log(semaphore.locked);
      },
    },
    ...conditions,
    ...barriers,
  ],
};
