// Timeouts around code: expiry, ties, nesting, rescheduling, and who gets the blame.
import { createTask, currentTask, sleep, taskGroup, type Timeout } from '../../src/index.js';
import { timeout, timeoutAt } from './support/timeouts.js';
import { attempt, Boom, future, log, loop, outcome, state, type Suite } from './support/program.js';

export const timeouts: Suite = {
  module: 'test_timeouts',
  programs: [
    {
      name: 'a timeout interrupts the body and throws a TimeoutError',
      covers: 'TimeoutTests: timeout_basic',
      python: `
        async def main():
            try:
                async with timeout(0.01) as tm:
                    try:
                        await sleep(1)
                    except CancelledError as error:
                        log("body", error, tm.expired(), current_task().cancelling())
                        raise
            except TimeoutError as error:
                log("thrown", error, tm.expired(), current_task().cancelling())
      `,
      *main() {
        let scope: Timeout;
        try {
          yield* timeout(10, function* (tm) {
            scope = tm;
            try {
              yield* sleep(1000);
            } catch (error) {
              log('body', error, tm.expired, currentTask()!.cancelling());
              throw error;
            }
          });
        } catch (error) {
          log('thrown', error, scope!.expired, currentTask()!.cancelling());
        }
      },
    },
    {
      name: 'a timeout at a time',
      covers: 'TimeoutTests: timeout_at_basic, timeout_at_disabled',
      python: `
        async def main():
            await sleep(0.01)
            try:
                async with timeout_at(loop().time() + 0.01) as tm:
                    log(tm.when() * 1000)
                    await sleep(1)
            except TimeoutError as error:
                log("thrown", error)
            async with timeout_at(None) as tm:
                log(tm.when())
                await sleep(0.05)
            log(tm.expired())
      `,
      *main() {
        yield* sleep(10);
        try {
          yield* timeoutAt(loop().time() + 10, function* (tm) {
            log(tm.when());
            yield* sleep(1000);
          });
        } catch (error) {
          log('thrown', error);
        }
        const scope = yield* timeoutAt(null, function* (tm) {
          log(tm.when());
          yield* sleep(50);
          return tm;
        });
        log(scope.expired);
      },
    },
    {
      name: 'a body that ends in time takes its timer back',
      covers: 'TimeoutTests: timeout_not_called, timeout_disabled',
      python: `
        async def main():
            async with timeout(0.05) as tm:
                await sleep(0.01)
            log(tm.expired())
            async with timeout(None) as other:
                await sleep(0.01)
            log(other.expired(), other.when())
      `,
      *main() {
        const tm = yield* timeout(50, function* (scope) {
          yield* sleep(10);
          return scope;
        });
        log(tm.expired);
        const other = yield* timeout(null, function* (scope) {
          yield* sleep(10);
          return scope;
        });
        log(other.expired, other.when());
      },
    },
    {
      name: 'a timeout of nothing lets a body that never waits go on',
      covers: 'TimeoutTests: timeout_zero, timeout_zero_sleep_zero, timeout_in_the_past_sleep_zero',
      python: `
        async def main():
            async with timeout(0) as tm:
                log("body")
            log("behind", tm.expired())
            for delay in (0, -1):
                try:
                    async with timeout(delay):
                        log("waits")
                        await sleep(0)
                        log("not reached")
                except TimeoutError as error:
                    log("thrown", error)
      `,
      *main() {
        const tm = yield* timeout(0, function* (scope) {
          log('body');
          return scope;
        });
        log('behind', tm.expired);
        for (const delay of [0, -1000]) {
          try {
            yield* timeout(delay, function* () {
              log('waits');
              yield* sleep(0);
              log('not reached');
            });
          } catch (error) {
            log('thrown', error);
          }
        }
      },
    },
    {
      name: 'an error of the body passes',
      covers: 'TimeoutTests: foreign_exception_passed',
      python: `
        async def main():
            try:
                async with timeout(0.05) as tm:
                    await sleep(0.01)
                    raise Boom("body")
            except Boom as error:
                log("thrown", error, tm.expired())
            await sleep(0.1)
      `,
      *main() {
        let scope: Timeout;
        try {
          yield* timeout(50, function* (tm) {
            scope = tm;
            yield* sleep(10);
            throw new Boom('body');
          });
        } catch (error) {
          log('thrown', error, scope!.expired);
        }
        yield* sleep(100);
      },
    },
    {
      name: 'an error thrown on expiry passes in place of the TimeoutError',
      covers:
        'TimeoutTests: foreign_exception_on_timeout, timeout_exception_context, foreign_exception_on_timeout_2',
      python: `
        async def main():
            try:
                async with timeout(0.01) as tm:
                    try:
                        await sleep(1)
                    except CancelledError:
                        raise Boom("clean-up")
            except Boom as error:
                log("thrown", error, tm.expired(), current_task().cancelling())
            await sleep(0)
            log("goes on")
      `,
      *main() {
        let scope: Timeout;
        try {
          yield* timeout(10, function* (tm) {
            scope = tm;
            try {
              yield* sleep(1000);
            } catch {
              throw new Boom('clean-up');
            }
          });
        } catch (error) {
          log('thrown', error, scope!.expired, currentTask()!.cancelling());
        }
        yield* sleep(0);
        log('goes on');
      },
    },
    {
      name: 'a body that swallows its interruption ends as it likes, and the count is back',
      python: `
        async def main():
            async with timeout(0.01) as tm:
                try:
                    await sleep(1)
                except CancelledError:
                    log("swallowed", current_task().cancelling())
                await sleep(0.01)
            log("behind", tm.expired(), current_task().cancelling())
            await sleep(0)
            log("goes on")
      `,
      *main() {
        const scope = yield* timeout(10, function* (tm) {
          try {
            yield* sleep(1000);
          } catch {
            log('swallowed', currentTask()!.cancelling());
          }
          yield* sleep(10);
          return tm;
        });
        log('behind', scope.expired, currentTask()!.cancelling());
        yield* sleep(0);
        log('goes on');
      },
    },
    {
      name: 'a cancellation from outside passes before the expiry',
      covers:
        'TimeoutTests: foreign_cancel_doesnt_timeout_if_not_expired, outer_task_is_not_cancelled, waiter_cancelled',
      python: `
        async def runs():
            async with timeout(0.05):
                await sleep(1)
        async def main():
            task = create_task(runs())
            await sleep(0.01)
            task.cancel("outside")
            log(await outcome(task), state(task), task.cancelling())
      `,
      *main() {
        const task = createTask(function* () {
          yield* timeout(50, function* () {
            yield* sleep(1000);
          });
        });
        yield* sleep(10);
        task.cancel('outside');
        log(yield* outcome(task), state(task), task.cancelling());
      },
    },
    {
      name: 'a body that cancels its own task inside a timeout is cancelled, not timed out',
      covers: 'TimeoutTests: foreign_cancel_doesnt_timeout_if_not_expired',
      python: `
        async def runs():
            async with timeout(0.05):
                current_task().cancel()
                await sleep(0)
        async def main():
            task = create_task(runs())
            log(await outcome(task), state(task))
      `,
      *main() {
        const task = createTask(function* () {
          yield* timeout(50, function* () {
            currentTask()!.cancel();
            yield* sleep(0);
          });
        });
        log(yield* outcome(task), state(task));
      },
    },
    {
      name: 'a cancellation from outside in the turn of the expiry wins',
      covers: 'TimeoutTests: timeout_after_cancellation, cancel_in_timeout_after_cancellation',
      python: `
        async def runs():
            async with timeout(0.01):
                await sleep(1)
        async def main():
            task = create_task(runs())
            await sleep(0)
            loop().call_later(0.01, task.cancel)
            log(await outcome(task), state(task), task.cancelling())
      `,
      *main() {
        const task = createTask(function* () {
          yield* timeout(10, function* () {
            yield* sleep(1000);
          });
        });
        yield* sleep(0);
        loop().callLater(10, () => task.cancel());
        log(yield* outcome(task), state(task), task.cancelling());
      },
    },
    {
      name: 'a timeout in a task that was cancelled before, and caught it, still expires',
      covers: 'TimeoutTests: timeout_after_cancellation',
      python: `
        async def runs():
            try:
                await sleep(1)
            except CancelledError:
                log("cancelled")
            try:
                async with timeout(0.01):
                    await sleep(1)
            except TimeoutError as error:
                log("thrown", error, current_task().cancelling())
        async def main():
            task = create_task(runs())
            await sleep(0)
            task.cancel()
            log(await outcome(task), state(task))
      `,
      *main() {
        const task = createTask(function* () {
          try {
            yield* sleep(1000);
          } catch {
            log('cancelled');
          }
          try {
            yield* timeout(10, function* () {
              yield* sleep(1000);
            });
          } catch (error) {
            log('thrown', error, currentTask()!.cancelling());
          }
        });
        yield* sleep(0);
        task.cancel();
        log(yield* outcome(task), state(task));
      },
    },
    {
      name: 'the outer of two timeouts expires first: it throws, and the inner one lets the interruption pass',
      covers: 'TimeoutTests: nested_timeouts',
      python: `
        async def main():
            try:
                async with timeout(0.01) as outer:
                    try:
                        async with timeout(0.02) as inner:
                            await sleep(1)
                    finally:
                        log("inner", inner.expired(), current_task().cancelling())
            except TimeoutError as error:
                log("outer", error, outer.expired(), current_task().cancelling())
      `,
      *main() {
        let [outer, inner]: Timeout[] = [];
        try {
          yield* timeout(10, function* (first) {
            outer = first;
            try {
              yield* timeout(20, function* (second) {
                inner = second;
                yield* sleep(1000);
              });
            } finally {
              log('inner', inner!.expired, currentTask()!.cancelling());
            }
          });
        } catch (error) {
          log('outer', error, outer!.expired, currentTask()!.cancelling());
        }
      },
    },
    {
      name: 'the inner of two timeouts expires first: its error is one like any other for the outer one',
      covers: 'TimeoutTests: nested_timeouts',
      python: `
        async def main():
            async with timeout(0.02) as outer:
                try:
                    async with timeout(0.01) as inner:
                        await sleep(1)
                except TimeoutError as error:
                    log("inner", error, inner.expired(), outer.expired())
                await sleep(0.005)
            log("behind", outer.expired(), current_task().cancelling())
      `,
      *main() {
        const scope = yield* timeout(20, function* (outer) {
          let inner: Timeout;
          try {
            yield* timeout(10, function* (tm) {
              inner = tm;
              yield* sleep(1000);
            });
          } catch (error) {
            log('inner', error, inner!.expired, outer.expired);
          }
          yield* sleep(5);
          return outer;
        });
        log('behind', scope.expired, currentTask()!.cancelling());
      },
    },
    {
      name: 'two timeouts with one deadline both expire, and the outer one throws',
      covers: 'TimeoutTests: nested_timeouts_concurrent, nested_timeouts_loop_busy',
      python: `
        async def main():
            try:
                async with timeout(0.01) as outer:
                    try:
                        async with timeout(0.01) as inner:
                            await sleep(1)
                    except BaseException as error:
                        log("inner", error, inner.expired(), current_task().cancelling())
                        raise
            except TimeoutError as error:
                log("outer", error, outer.expired(), current_task().cancelling())
            await sleep(0)
            log("goes on")
      `,
      *main() {
        let [outer, inner]: Timeout[] = [];
        try {
          yield* timeout(10, function* (first) {
            outer = first;
            try {
              yield* timeout(10, function* (second) {
                inner = second;
                yield* sleep(1000);
              });
            } catch (error) {
              log('inner', error, inner!.expired, currentTask()!.cancelling());
              throw error;
            }
          });
        } catch (error) {
          log('outer', error, outer!.expired, currentTask()!.cancelling());
        }
        yield* sleep(0);
        log('goes on');
      },
    },
    {
      name: 'a value that is ready when the time is up',
      python: `
        async def main():
            f = future()
            loop().call_later(0.01, f.set_result, "value")
            try:
                async with timeout(0.01) as tm:
                    log("got", await f)
            except TimeoutError as error:
                log("thrown", error)
            log(tm.expired(), current_task().cancelling())
      `,
      *main() {
        const f = future();
        loop().callLater(10, () => f.setResult('value'));
        let scope: Timeout;
        try {
          yield* timeout(10, function* (tm) {
            scope = tm;
            log('got', yield* f);
          });
        } catch (error) {
          log('thrown', error);
        }
        log(scope!.expired, currentTask()!.cancelling());
      },
      deviation: {
        reason: 'a value wins by default',
        trace: ['10ms/2 got value', '10ms/2 no 0'],
      },
    },
    {
      name: 'a sleep that ends when the time is up',
      python: `
        async def main():
            try:
                async with timeout(0.01):
                    log("slept", await sleep(0.01, "value"))
            except TimeoutError as error:
                log("thrown", error)
      `,
      *main() {
        try {
          yield* timeout(10, function* () {
            log('slept', yield* sleep(10, 'value'));
          });
        } catch (error) {
          log('thrown', error);
        }
      },
      deviation: {
        reason: 'a value wins by default',
        trace: ['10ms/2 slept value'],
      },
    },
    {
      name: 'a timeout is rescheduled to later, to earlier and to never',
      covers: 'TimeoutTests: reschedule',
      python: `
        async def main():
            start = loop().time()
            for when in (0.03, 0.005, None):
                try:
                    async with timeout(0.01) as tm:
                        base = loop().time()
                        tm.reschedule(None if when is None else base + when)
                        log(None if when is None else round((tm.when() - base) * 1000))
                        await sleep(0.05)
                        log("slept")
                except TimeoutError as error:
                    log("thrown", error)
      `,
      *main() {
        for (const when of [30, 5, null]) {
          try {
            yield* timeout(10, function* (tm) {
              const base = loop().time();
              tm.reschedule(when === null ? null : base + when);
              log(when === null ? null : tm.when()! - base);
              yield* sleep(50);
              log('slept');
            });
          } catch (error) {
            log('thrown', error);
          }
        }
      },
    },
    {
      name: 'a timeout rescheduled to the past expires in the next turn',
      covers: 'TimeoutTests: timeout_in_the_past_sleep_zero',
      python: `
        async def main():
            await sleep(0.01)
            try:
                async with timeout(1) as tm:
                    tm.reschedule(0)
                    log("rescheduled", tm.expired())
                    await sleep(1)
            except TimeoutError as error:
                log("thrown", error)
      `,
      *main() {
        yield* sleep(10);
        try {
          yield* timeout(1000, function* (tm) {
            tm.reschedule(0);
            log('rescheduled', tm.expired);
            yield* sleep(1000);
          });
        } catch (error) {
          log('thrown', error);
        }
      },
    },
    {
      name: 'a timeout cannot be rescheduled once it expires or is over',
      covers: 'TimeoutTests: timeout_expired, timeout_expiring, timeout_finished',
      python: `
        async def main():
            try:
                async with timeout(0.01) as tm:
                    try:
                        await sleep(1)
                    except CancelledError:
                        log("expiring", attempt(tm.reschedule, 5))
                        raise
            except TimeoutError:
                log("expired", attempt(tm.reschedule, 5))
            async with timeout(0.01) as other:
                pass
            log("finished", attempt(other.reschedule, 5))
      `,
      *main() {
        let scope: Timeout;
        try {
          yield* timeout(10, function* (tm) {
            scope = tm;
            try {
              yield* sleep(1000);
            } catch (error) {
              log(
                'expiring',
                attempt(() => tm.reschedule(5000)),
              );
              throw error;
            }
          });
        } catch {
          log(
            'expired',
            attempt(() => scope.reschedule(5000)),
          );
        }
        const other = yield* timeout(10, function* (tm) {
          return tm;
        });
        log(
          'finished',
          attempt(() => other.reschedule(5000)),
        );
      },
    },
    {
      name: 'a timeout in the clean-up of one that expired',
      covers: 'TimeoutTests: nested_timeout_in_finally',
      python: `
        async def main():
            try:
                async with timeout(0.01):
                    try:
                        await sleep(1)
                    finally:
                        try:
                            async with timeout(0.02):
                                await sleep(1)
                        except TimeoutError as error:
                            log("inner", error, current_task().cancelling())
            except TimeoutError as error:
                log("outer", error, current_task().cancelling())
      `,
      *main() {
        try {
          yield* timeout(10, function* () {
            try {
              yield* sleep(1000);
            } finally {
              try {
                yield* timeout(20, function* () {
                  yield* sleep(1000);
                });
              } catch (error) {
                log('inner', error, currentTask()!.cancelling());
              }
            }
          });
        } catch (error) {
          log('outer', error, currentTask()!.cancelling());
        }
      },
    },
    {
      name: 'a timeout whose body is a group that fails on expiry',
      covers: 'TimeoutTests: timeout_taskgroup',
      python: `
        async def child():
            try:
                await sleep(1)
            except CancelledError:
                raise Boom("child")
        async def main():
            try:
                async with timeout(0.01) as tm:
                    async with TaskGroup() as tg:
                        tg.create_task(child())
                        await sleep(1)
            except ExceptionGroup as group:
                log("thrown", group, tm.expired(), current_task().cancelling())
      `,
      *main() {
        function* child() {
          try {
            yield* sleep(1000);
          } catch {
            throw new Boom('child');
          }
        }
        let scope: Timeout;
        try {
          yield* timeout(10, function* (tm) {
            scope = tm;
            yield* taskGroup(function* (tg) {
              tg.createTask(child());
              yield* sleep(1000);
            });
          });
        } catch (group) {
          log('thrown', group, scope!.expired, currentTask()!.cancelling());
        }
      },
    },
    {
      name: 'a timeout interrupts what its task waits for: another task is cancelled',
      python: `
        async def inner():
            try:
                await sleep(1)
            finally:
                await sleep(0.01)
                log("inner cleaned up")
        async def main():
            task = create_task(inner())
            try:
                async with timeout(0.01):
                    await task
            except TimeoutError as error:
                log("thrown", error, state(task))
      `,
      *main() {
        const task = createTask(function* () {
          try {
            yield* sleep(1000);
          } finally {
            yield* sleep(10);
            log('inner cleaned up');
          }
        });
        try {
          yield* timeout(10, function* () {
            yield* task;
          });
        } catch (error) {
          log('thrown', error, state(task));
        }
      },
    },
    {
      name: 'a task woken by its value before the time is up keeps it, even if it runs later',
      covers: 'TimeoutTests: nested_timeouts_loop_busy',
      python: `
        async def main():
            f = future()
            loop().call_later(0.009, f.set_result, "value")
            async with timeout(0.01) as tm:
                log("got", await f)
                await sleep(0)
            log(tm.expired())
      `,
      *main() {
        const f = future();
        loop().callLater(9, () => f.setResult('value'));
        const scope = yield* timeout(10, function* (tm) {
          log('got', yield* f);
          yield* sleep(0);
          return tm;
        });
        log(scope.expired);
      },
    },
  ],
};
