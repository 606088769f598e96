// Tasks: steps and wake-ups, cancellation and its counts, sleeping, shields, gather, wait, asCompleted.
import { AsyncLocalStorage } from 'node:async_hooks';
import { CancelledError, createTask, currentTask, gather, sleep, type Task } from '../../src/index.js';
import { several } from './test_tasks_several.js';
import { attempt, Boom, Fatal, future, log, loop, outcome, state, type Suite } from './support/program.js';

export const tasks: Suite = {
  module: 'test_tasks',
  programs: [
    {
      name: 'a task takes its first step in the next turn, and its result is there in the turn it ends',
      covers: 'BaseTaskTests: task_basics, bare_create_task, create_task_with_async_function',
      python: `
        async def child():
            log("child")
            return 7
        async def main():
            task = create_task(child())
            log("made", state(task))
            await sleep(0)
            log("a turn later", state(task))
            log(await task)
      `,
      *main() {
        function* child() {
          log('child');
          return 7;
        }
        const task = createTask(child());
        log('made', state(task));
        yield* sleep(0);
        log('a turn later', state(task));
        log(yield* task);
      },
    },
    {
      name: 'who waits for a task is woken in the turn after it ended',
      covers: 'BaseTaskTests: ensure_future_coroutine, ensure_future_task',
      python: `
        async def child(turns):
            for _ in range(turns):
                await sleep(0)
            log("child ends")
            return turns
        async def main():
            for turns in range(3):
                log("got", await create_task(child(turns)))
      `,
      *main() {
        function* child(turns: number) {
          for (let i = 0; i < turns; i++) yield* sleep(0);
          log('child ends');
          return turns;
        }
        for (let turns = 0; turns < 3; turns++) log('got', yield* createTask(child(turns)));
      },
    },
    {
      name: 'tasks that yield take turns in the order in which they were made',
      covers: 'SleepTests: sleep_zero',
      python: `
        async def child(name):
            for i in range(3):
                log(name, i)
                await sleep(0)
        async def main():
            tasks = [create_task(child(name)) for name in "abc"]
            for task in tasks:
                await task
            log("end")
      `,
      *main() {
        function* child(name: string) {
          for (let i = 0; i < 3; i++) {
            log(name, i);
            yield* sleep(0);
          }
        }
        const children = [...'abc'].map((name) => createTask(child(name)));
        for (const task of children) yield* task;
        log('end');
      },
    },
    {
      name: 'two tasks play ping-pong with futures',
      covers: 'BaseTaskTests: step_result_future',
      python: `
        async def player(name, mine, others):
            for i in range(3):
                await mine[i]
                log(name, i)
                others[i].set_result(None)
        async def main():
            ping = [future() for _ in range(4)]
            pong = [future() for _ in range(4)]
            a = create_task(player("ping", ping, pong))
            b = create_task(player("pong", pong, ping[1:]))
            await sleep(0)
            ping[0].set_result(None)
            await a
            await b
      `,
      *main() {
        type F = ReturnType<typeof future>;
        function* player(name: string, mine: F[], others: F[]) {
          for (let i = 0; i < 3; i++) {
            yield* mine[i]!;
            log(name, i);
            others[i]!.setResult(null);
          }
        }
        const ping = [future(), future(), future(), future()];
        const pong = [future(), future(), future(), future()];
        const a = createTask(player('ping', ping, pong));
        const b = createTask(player('pong', pong, ping.slice(1)));
        yield* sleep(0);
        ping[0]!.setResult(null);
        yield* a;
        yield* b;
      },
    },
    {
      name: 'what a task throws reaches everybody who waits for it',
      covers: 'BaseTaskTests: exception_chaining_after_await',
      python: `
        async def child():
            raise Boom("child")
        async def main():
            task = create_task(child())
            async def waits(name):
                log(name, await outcome(task))
            await gather(waits("a"), waits("b"))
            log(state(task), attempt(task.result), await outcome(task))
      `,
      *main() {
        function* child(): Generator<unknown, void, unknown> {
          throw new Boom('child');
        }
        const task = createTask(child());
        function* waits(name: string) {
          log(name, yield* outcome(task));
        }
        yield* gather([waits('a'), waits('b')].map((one) => createTask(one)));
        log(
          state(task),
          attempt(() => task.result()),
          yield* outcome(task),
        );
      },
    },
    {
      name: 'nested calls of coroutines are part of one task and take no turns',
      covers: 'BaseTaskTests: current_task',
      python: `
        async def inner(depth):
            if depth == 0:
                return current_task()
            return await inner(depth - 1)
        async def main():
            log(await inner(5) is current_task())
            log(await create_task(inner(2)) is current_task())
      `,
      *main() {
        function* inner(depth: number): Generator<unknown, unknown, unknown> {
          if (depth === 0) return currentTask();
          return yield* inner(depth - 1);
        }
        log((yield* inner(5)) === currentTask());
        const child = createTask(function* () {
          return [yield* inner(2)];
        });
        log((yield* child)[0] === currentTask());
      },
    },
    {
      name: 'the current task is that of the code that runs, and none in a callback',
      covers: 'BaseTaskTests: current_task_with_interleaving_tasks; BaseTaskIntrospectionTests: _enter_task',
      python: `
        async def child(name):
            me = current_task()
            for _ in range(2):
                await sleep(0)
                log(name, current_task() is me)
        async def main():
            loop().call_soon(lambda: log("callback", current_task()))
            a, b = create_task(child("a")), create_task(child("b"))
            a.add_done_callback(lambda _: log("done callback", current_task()))
            await a
            await b
      `,
      *main() {
        function* child(name: string) {
          const me = currentTask();
          for (let i = 0; i < 2; i++) {
            yield* sleep(0);
            log(name, currentTask() === me);
          }
        }
        loop().callSoon(() => log('callback', currentTask()));
        const [a, b] = [createTask(child('a')), createTask(child('b'))];
        a.addDoneCallback(() => log('done callback', currentTask()));
        yield* a;
        yield* b;
      },
    },
    {
      name: 'a task cannot be settled from outside',
      covers:
        'BaseTaskTests: task_set_methods; SetMethodsTest: set_result_causes_invalid_state, set_exception_causes_invalid_state',
      python: `
        async def child():
            return "own"
        async def main():
            task = create_task(child())
            log(attempt(task.set_result, "foreign"), attempt(task.set_exception, Boom("foreign")))
            log(await task)
      `,
      *main() {
        function* child() {
          return 'own';
        }
        const task = createTask(child());
        log(
          attempt(() => task.setResult('foreign')),
          attempt(() => task.setException(new Boom('foreign'))),
        );
        log(yield* task);
      },
    },
    {
      name: 'a task that waits for itself gets an error',
      covers: 'BaseTaskTests: task_awaits_on_itself',
      python: `
        async def main():
            async def child():
                return await task
            task = create_task(child())
            log(await outcome(task))
      `,
      *main() {
        const task: Task<unknown> = createTask(function* (): Generator<unknown, unknown, unknown> {
          return yield* task;
        });
        log(yield* outcome(task));
      },
    },
    {
      name: 'what is no coroutine makes no task',
      covers: 'BaseTaskTests: create_task_with_noncoroutine',
      python: `
        async def main():
            log(attempt(create_task, 42), attempt(create_task, future()), attempt(create_task, None))
      `,
      *main() {
        log(
          attempt(() => createTask(42 as any)),
          attempt(() => createTask(future() as any)),
          attempt(() => createTask(null as any)),
        );
      },
    },
    {
      name: 'a task has the name it was given and keeps the one it is given later',
      covers: 'BaseTaskTests: bare_create_named_task, task_repr_name_not_str',
      python: `
        async def child():
            log(current_task().get_name())
            current_task().set_name("renamed")
        async def main():
            task = create_task(child(), name="given")
            await task
            log(task.get_name())
      `,
      *main() {
        const task = createTask(
          function* () {
            log(currentTask()!.name);
            currentTask()!.name = 'renamed';
          },
          { name: 'given' },
        );
        yield* task;
        log(task.name);
      },
    },

    // Cancelling

    {
      name: 'a cancellation is delivered where the task waits, a turn later',
      covers: 'BaseTaskTests: cancel, cancel_inner_future, cancel_traceback_for_future_result',
      python: `
        async def child():
            try:
                log("waits")
                await sleep(10)
            except CancelledError as error:
                log("thrown", error)
                raise
            finally:
                log("finally")
        async def main():
            task = create_task(child())
            await sleep(0.005)
            log(task.cancel(), task.cancelled(), task.cancelling(), task.done())
            log(await outcome(task))
            log(task.cancelled(), task.cancelling(), task.cancel())
      `,
      *main() {
        function* child() {
          try {
            log('waits');
            yield* sleep(10_000);
          } catch (error) {
            log('thrown', error);
            throw error;
          } finally {
            log('finally');
          }
        }
        const task = createTask(child());
        yield* sleep(5);
        log(task.cancel(), task.cancelled(), task.cancelling(), task.done());
        log(yield* outcome(task));
        log(task.cancelled(), task.cancelling(), task.cancel());
      },
    },
    {
      name: 'a task cancelled before its first step is never entered',
      covers: 'BaseTaskTests: cancel_with_message_before_starting_task',
      python: `
        async def child():
            try:
                log("entered")
            finally:
                log("finally")
        async def main():
            task = create_task(child())
            log(task.cancel("early"), task.cancelled())
            log(await outcome(task))
            log(state(task))
      `,
      *main() {
        function* child() {
          try {
            log('entered');
          } finally {
            log('finally');
          }
        }
        const task = createTask(child());
        log(task.cancel('early'), task.cancelled());
        log(yield* outcome(task));
        log(state(task));
      },
    },
    {
      name: 'a task that yields is cancelled at its yield',
      covers: 'BaseTaskTests: cancel_yield',
      python: `
        async def child():
            try:
                await sleep(0)
                log("not reached")
            except CancelledError:
                log("cancelled at the yield")
                raise
        async def main():
            task = create_task(child())
            await sleep(0)
            task.cancel()
            await sleep(0)
            log(state(task))
      `,
      *main() {
        function* child() {
          try {
            yield* sleep(0);
            log('not reached');
          } catch (error) {
            log('cancelled at the yield');
            throw error;
          }
        }
        const task = createTask(child());
        yield* sleep(0);
        task.cancel();
        yield* sleep(0);
        log(state(task));
      },
    },
    {
      name: 'a cancellation that is caught does not cancel the task; its count remains',
      covers: 'BaseTaskTests: cancel_task_catching, cancelling',
      python: `
        async def child():
            try:
                await sleep(1)
            except CancelledError:
                log("caught", current_task().cancelling())
            await sleep(0.001)
            return "alive"
        async def main():
            task = create_task(child())
            await sleep(0)
            task.cancel()
            log(await task, task.cancelled(), task.cancelling())
      `,
      *main() {
        function* child() {
          try {
            yield* sleep(1000);
          } catch {
            log('caught', currentTask()!.cancelling());
          }
          yield* sleep(1);
          return 'alive';
        }
        const task = createTask(child());
        yield* sleep(0);
        task.cancel();
        log(yield* task, task.cancelled(), task.cancelling());
      },
    },
    {
      name: 'a task that keeps catching is cancelled again and again',
      covers: 'BaseTaskTests: cancel_task_ignoring',
      python: `
        async def child():
            for i in range(3):
                try:
                    await sleep(1)
                except CancelledError:
                    log("caught", i, current_task().cancelling())
            return "done"
        async def main():
            task = create_task(child())
            for _ in range(3):
                await sleep(0)
                await sleep(0)
                task.cancel()
            log(await task, task.cancelling())
      `,
      *main() {
        function* child() {
          for (let i = 0; i < 3; i++) {
            try {
              yield* sleep(1000);
            } catch {
              log('caught', i, currentTask()!.cancelling());
            }
          }
          return 'done';
        }
        const task = createTask(child());
        for (let i = 0; i < 3; i++) {
          yield* sleep(0);
          yield* sleep(0);
          task.cancel();
        }
        log(yield* task, task.cancelling());
      },
    },
    {
      name: 'two cancellations in one turn are delivered as one and counted as two',
      covers: 'BaseTaskTests: cancelling',
      python: `
        async def child():
            try:
                await sleep(1)
            except CancelledError as error:
                log("caught", error, current_task().cancelling())
            await sleep(0.001)
            log("survived")
        async def main():
            task = create_task(child())
            await sleep(0)
            log(task.cancel("first"), task.cancel("second"), task.cancelling())
            await task
      `,
      *main() {
        function* child() {
          try {
            yield* sleep(1000);
          } catch (error) {
            log('caught', error, currentTask()!.cancelling());
          }
          yield* sleep(1);
          log('survived');
        }
        const task = createTask(child());
        yield* sleep(0);
        log(task.cancel('first'), task.cancel('second'), task.cancelling());
        yield* task;
      },
    },
    {
      name: 'the reason travels with the cancellation to who waits for the task',
      covers:
        'BaseTaskTests: cancel_with_message_then_future_result, cancel_with_message_then_future_exception, task_cancel_message_getter, cancellation_exception_context',
      python: `
        async def child():
            try:
                await sleep(1)
            except CancelledError as error:
                log("inside", error)
                raise
        async def outer(task):
            return await task
        async def main():
            task = create_task(child())
            waiter = create_task(outer(task))
            await sleep(0)
            await sleep(0)
            task.cancel("why")
            log(await outcome(waiter), attempt(task.result), attempt(task.exception), state(waiter))
      `,
      *main() {
        function* child() {
          try {
            yield* sleep(1000);
          } catch (error) {
            log('inside', error);
            throw error;
          }
        }
        const task = createTask(child());
        const waiter = createTask(function* () {
          return yield* task;
        });
        yield* sleep(0);
        yield* sleep(0);
        task.cancel('why');
        log(
          yield* outcome(waiter),
          attempt(() => task.result()),
          attempt(() => task.exception()),
          state(waiter),
        );
      },
      deviation: {
        reason: 'everybody who reads a cancelled task gets the reason, not only the first',
        trace: [
          '0ms/4 inside CancelledError(why)',
          '0ms/6 CancelledError(why) CancelledError(why) CancelledError(why) cancelled',
        ],
      },
    },
    {
      name: 'a result that came in the same turn as a cancellation is lost',
      covers: 'BaseTaskTests: cancel_both_task_and_inner_future, task_cancel_waiter_future',
      python: `
        async def main():
            f = future()
            async def child():
                return await f
            for cancels_first in (False, True):
                f = future()
                task = create_task(child())
                await sleep(0)
                if cancels_first:
                    log(task.cancel(), attempt(f.set_result, 7))
                else:
                    f.set_result(7)
                    log(task.cancel())
                log(await outcome(task), state(f))
      `,
      *main() {
        let f = future();
        function* child() {
          return yield* f;
        }
        for (const cancelsFirst of [false, true]) {
          f = future();
          const task = createTask(child());
          yield* sleep(0);
          if (cancelsFirst) {
            log(
              task.cancel(),
              attempt(() => f.setResult(7)),
            );
          } else {
            f.setResult(7);
            log(task.cancel());
          }
          log(yield* outcome(task), state(f));
        }
      },
    },
    {
      name: 'cancelling a task that waits for a task cancels the inner one',
      covers: 'BaseTaskTests: cancel_awaited_task, yield_future_passes_cancel',
      python: `
        async def inner(answer):
            try:
                await sleep(1)
            except CancelledError:
                log("inner cancelled")
                if answer is None:
                    raise
            return answer
        async def outer(task):
            try:
                log("outer got", await task)
            except CancelledError:
                log("outer cancelled")
                raise
        async def main():
            for answer in (None, "late"):
                task = create_task(inner(answer))
                waiter = create_task(outer(task))
                await sleep(0)
                await sleep(0)
                log(waiter.cancel(), task.cancelling(), waiter.cancelling())
                await outcome(waiter)
                log(state(task), state(waiter))
      `,
      *main() {
        function* inner(answer: unknown) {
          try {
            yield* sleep(1000);
          } catch (error) {
            log('inner cancelled');
            if (answer === null) throw error;
          }
          return answer;
        }
        function* outer(task: Task<unknown>) {
          try {
            log('outer got', yield* task);
          } catch (error) {
            log('outer cancelled');
            throw error;
          }
        }
        for (const answer of [null, 'late']) {
          const task = createTask(inner(answer));
          const waiter = createTask(outer(task));
          yield* sleep(0);
          yield* sleep(0);
          log(waiter.cancel(), task.cancelling(), waiter.cancelling());
          yield* outcome(waiter);
          log(state(task), state(waiter));
        }
      },
    },
    {
      name: 'a task that cancels itself is interrupted at its next wait',
      covers: 'BaseTaskTests: cancel_current_task',
      python: `
        async def child():
            log(current_task().cancel())
            log("goes on")
            try:
                await sleep(0)
                log("not reached")
            finally:
                log("interrupted")
        async def main():
            task = create_task(child())
            log(await outcome(task), state(task))
      `,
      *main() {
        function* child() {
          log(currentTask()!.cancel());
          log('goes on');
          try {
            yield* sleep(0);
            log('not reached');
          } finally {
            log('interrupted');
          }
        }
        const task = createTask(child());
        log(yield* outcome(task), state(task));
      },
    },
    {
      name: 'a task that cancels itself and returns is cancelled; one that throws has failed',
      covers: 'BaseTaskTests: cancel_at_end, baseexception_during_cancel',
      python: `
        async def returns():
            current_task().cancel()
            return 7
        async def throws():
            current_task().cancel()
            raise Boom("instead")
        async def main():
            for child in (returns(), throws()):
                task = create_task(child)
                log(await outcome(task), state(task), task.cancelling())
      `,
      *main() {
        function* returns() {
          currentTask()!.cancel();
          return 7;
        }
        function* throws(): Generator<unknown, number, unknown> {
          currentTask()!.cancel();
          throw new Boom('instead');
        }
        for (const child of [returns(), throws()]) {
          const task = createTask(child);
          log(yield* outcome(task), state(task), task.cancelling());
        }
      },
    },
    {
      name: 'a task that throws CancelledError by itself is cancelled',
      covers: 'BaseTaskTests: cancel_traceback_for_future_exception',
      python: `
        async def child():
            raise CancelledError("own")
        async def main():
            task = create_task(child())
            log(await outcome(task), state(task), task.cancelling())
      `,
      *main() {
        function* child(): Generator<unknown, void, unknown> {
          throw new CancelledError('own');
        }
        const task = createTask(child());
        log(yield* outcome(task), state(task), task.cancelling());
      },
    },
    {
      name: 'uncancel() takes requests back, never below none',
      covers: 'BaseTaskTests: uncancel_basic',
      python: `
        async def child():
            me = current_task()
            log(me.uncancel(), me.cancelling())
            try:
                await sleep(1)
            except CancelledError:
                log(me.cancelling(), me.uncancel(), me.cancelling())
            log(me.uncancel(), me.cancelling())
            try:
                await sleep(1)
            except CancelledError:
                log(me.cancelling())
                raise
        async def main():
            task = create_task(child())
            await sleep(0)
            log(task.cancel(), task.cancel())
            await sleep(0)
            log(task.cancel())
            log(await outcome(task), task.cancelling())
      `,
      *main() {
        const task: Task<void> = createTask(function* () {
          log(task.uncancel(), task.cancelling());
          try {
            yield* sleep(1000);
          } catch {
            log(task.cancelling(), task.uncancel(), task.cancelling());
          }
          log(task.uncancel(), task.cancelling());
          try {
            yield* sleep(1000);
          } catch (error) {
            log(task.cancelling());
            throw error;
          }
        });
        yield* sleep(0);
        log(task.cancel(), task.cancel());
        yield* sleep(0);
        log(task.cancel());
        log(yield* outcome(task), task.cancelling());
      },
    },
    {
      name: 'uncancel() before the delivery withdraws it, unless what was waited for is cancelled already',
      covers: 'BaseTaskTests: uncancel_resets_must_cancel',
      python: `
        async def yields():
            await sleep(0)
            return "alive"
        async def waits():
            await sleep(1)
            return "alive"
        async def main():
            for child in (yields(), waits()):
                task = create_task(child)
                await sleep(0)
                log(task.cancel(), task.uncancel())
                log(await outcome(task), state(task))
      `,
      *main() {
        function* yields() {
          yield* sleep(0);
          return 'alive';
        }
        function* waits() {
          yield* sleep(1000);
          return 'alive';
        }
        for (const child of [yields(), waits()]) {
          const task = createTask(child);
          yield* sleep(0);
          log(task.cancel(), task.uncancel());
          log(yield* outcome(task), state(task));
        }
      },
    },
    {
      name: 'a block that cancels its own task takes only its own request back',
      covers: 'BaseTaskTests: uncancel_structured_blocks',
      python: `
        async def block():
            me = current_task()
            timer = loop().call_later(0.01, me.cancel)
            try:
                await sleep(1)
            except CancelledError:
                if me.uncancel() > 0:
                    log("somebody else, too")
                    raise
                log("the block's own")
            finally:
                timer.cancel()
        async def main():
            alone = create_task(block())
            log(await outcome(alone), alone.cancelling())
            both = create_task(block())
            await sleep(0)
            loop().call_later(0.01, both.cancel)
            log(await outcome(both), both.cancelling(), state(both))
      `,
      *main() {
        function* block() {
          const me = currentTask()!;
          const timer = loop().callLater(10, () => me.cancel());
          try {
            yield* sleep(1000);
          } catch (error) {
            if (me.uncancel() > 0) {
              log('somebody else, too');
              throw error;
            }
            log("the block's own");
          } finally {
            timer.cancel();
          }
        }
        const alone = createTask(block());
        log(yield* outcome(alone), alone.cancelling());
        const both = createTask(block());
        yield* sleep(0);
        loop().callLater(10, () => both.cancel());
        log(yield* outcome(both), both.cancelling(), state(both));
      },
    },
    {
      name: 'clean-up may wait while a task is cancelled, and is interrupted only by a new cancellation',
      covers: 'BaseTaskTests: task_cancel_sleeping_task, cancel_inner_future',
      python: `
        async def child(name):
            try:
                await sleep(1)
            finally:
                try:
                    await sleep(0.02)
                    log(name, "cleaned up")
                except CancelledError as error:
                    log(name, "interrupted", error)
                    raise
        async def main():
            a, b = create_task(child("a")), create_task(child("b"))
            await sleep(0)
            a.cancel("one")
            b.cancel("one")
            await sleep(0.01)
            b.cancel("two")
            log(await outcome(a), await outcome(b))
            log(a.cancelling(), b.cancelling())
      `,
      *main() {
        function* cleanUp(name: string) {
          try {
            yield* sleep(20);
            log(name, 'cleaned up');
          } catch (error) {
            log(name, 'interrupted', error);
            throw error;
          }
        }
        function* child(name: string) {
          try {
            yield* sleep(1000);
          } finally {
            yield* cleanUp(name);
          }
        }
        const [a, b] = [createTask(child('a')), createTask(child('b'))];
        yield* sleep(0);
        a.cancel('one');
        b.cancel('one');
        yield* sleep(10);
        b.cancel('two');
        log(yield* outcome(a), yield* outcome(b));
        log(a.cancelling(), b.cancelling());
      },
    },
    {
      name: 'an error thrown while being cancelled is the outcome, and the count remains',
      covers: 'BaseTaskTests: exception_chaining_after_await_with_context_cycle',
      python: `
        async def child():
            try:
                await sleep(1)
            except CancelledError:
                raise Boom("clean-up")
        async def main():
            task = create_task(child())
            await sleep(0)
            task.cancel()
            log(await outcome(task), task.cancelled(), task.cancelling())
      `,
      *main() {
        function* child() {
          try {
            yield* sleep(1000);
          } catch {
            throw new Boom('clean-up');
          }
        }
        const task = createTask(child());
        yield* sleep(0);
        task.cancel();
        log(yield* outcome(task), task.cancelled(), task.cancelling());
      },
    },
    {
      name: 'a chain of tasks is cancelled from its inner end, one turn per link',
      covers: 'BaseTaskTests: cancel_awaited_task',
      python: `
        async def link(depth):
            try:
                if depth == 0:
                    await sleep(1)
                else:
                    await create_task(link(depth - 1))
            except CancelledError:
                log("link", depth, current_task().cancelling())
                raise
        async def main():
            task = create_task(link(3))
            await sleep(0.01)
            task.cancel("chain")
            log(task.cancelling())
            log(await outcome(task))
      `,
      *main() {
        function* link(depth: number): Generator<unknown, void, unknown> {
          try {
            if (depth === 0) yield* sleep(1000);
            else yield* createTask(link(depth - 1));
          } catch (error) {
            log('link', depth, currentTask()!.cancelling());
            throw error;
          }
        }
        const task = createTask(link(3));
        yield* sleep(10);
        task.cancel('chain');
        log(task.cancelling());
        log(yield* outcome(task));
      },
    },
    {
      name: 'several tasks that wait for one task are all woken by its cancellation',
      covers: 'BaseTaskTests: cancel_awaited_task',
      python: `
        async def inner():
            await sleep(1)
        async def main():
            task = create_task(inner())
            async def waits(name):
                try:
                    await task
                finally:
                    log(name, current_task().cancelling())
            waiters = [create_task(waits(name)) for name in "abc"]
            await sleep(0.01)
            waiters[1].cancel()
            for waiter in waiters:
                log(await outcome(waiter), state(waiter))
      `,
      *main() {
        const task = createTask(function* () {
          yield* sleep(1000);
        });
        function* waits(name: string) {
          try {
            yield* task;
          } finally {
            log(name, currentTask()!.cancelling());
          }
        }
        const waiters = [...'abc'].map((name) => createTask(waits(name)));
        yield* sleep(10);
        waiters[1]!.cancel();
        for (const waiter of waiters) log(yield* outcome(waiter), state(waiter));
      },
    },
    {
      name: 'done callbacks of a cancelled task run after its clean-up',
      covers: 'BaseTaskTests: tb_logger_not_called_after_cancel',
      python: `
        async def child():
            try:
                await sleep(1)
            finally:
                await sleep(0)
                log("cleaned up")
        async def main():
            task = create_task(child())
            task.add_done_callback(lambda one: log("callback", state(one)))
            await sleep(0)
            task.cancel()
            await sleep(0.01)
      `,
      *main() {
        const task = createTask(function* () {
          try {
            yield* sleep(1000);
          } finally {
            yield* sleep(0);
            log('cleaned up');
          }
        });
        task.addDoneCallback((one) => log('callback', state(one)));
        yield* sleep(0);
        task.cancel();
        yield* sleep(10);
      },
    },
    {
      name: 'a done callback may cancel a task that is about to be woken by the same future',
      python: `
        async def main():
            f = future()
            async def child(name):
                log(name, await outcome(f))
            async def create(name):
                task = create_task(child(name))
                await sleep(0)
                return task
            first = await create("first")
            f.add_done_callback(lambda _: log(first.cancel(), second.cancel()))
            second = await create("second")
            f.set_result(1)
            await sleep(0.01)
            log(state(first), state(second))
      `,
      *main() {
        const f = future();
        function* child(name: string) {
          log(name, yield* outcome(f));
        }
        function* create(name: string) {
          const task = createTask(child(name));
          yield* sleep(0);
          return task;
        }
        const first = yield* create('first');
        const tasks = [first];
        f.addDoneCallback(() => log(...tasks.map((task) => task.cancel())));
        const second = yield* create('second');
        tasks.push(second);
        f.setResult(1);
        yield* sleep(10);
        log(state(first), state(second));
      },
    },
    {
      name: 'a fatal error ends the run, and is what the task ended with',
      covers: 'BaseTaskTests: baseexception_during_cancel',
      python: `
        async def child():
            log("fails")
            raise Fatal("end")
        async def main():
            task = create_task(child())
            loop().call_soon(log, "same batch")
            log(await outcome(task))
      `,
      *main() {
        const task = createTask(function* (): Generator<unknown, void, unknown> {
          log('fails');
          throw new Fatal('end');
        });
        loop().callSoon(log, 'same batch');
        log(yield* outcome(task));
      },
      deviation: {
        reason: 'the batch in which the error was thrown is finished before the run ends',
        trace: ['0ms/2 fails', '0ms/2 same batch', '0ms/2 the run ends with Fatal(end)', '0ms/3 Fatal(end)'],
      },
    },

    // Sleeping

    {
      name: 'sleepers wake in the order of their deadlines and get their values',
      covers: 'BaseTaskTests: sleep',
      python: `
        async def sleeper(name, delay):
            log(await sleep(delay, name))
        async def main():
            tasks = [create_task(sleeper(*one)) for one in (("c", 0.03), ("a", 0.01), ("b", 0.02))]
            for task in tasks:
                await task
      `,
      *main() {
        function* sleeper(name: string, delay: number) {
          log(yield* sleep(delay, name));
        }
        const sleepers = [
          createTask(sleeper('c', 30)),
          createTask(sleeper('a', 10)),
          createTask(sleeper('b', 20)),
        ];
        for (const task of sleepers) yield* task;
      },
    },
    {
      name: 'a sleep of nothing or less takes exactly one turn and no timer',
      covers: 'SleepTests: sleep_zero',
      python: `
        async def main():
            log("start")
            log(await sleep(0, "zero"))
            log(await sleep(-1, "minus"))
            log(await sleep(0.001, "one"))
      `,
      *main() {
        log('start');
        log(yield* sleep(0, 'zero'));
        log(yield* sleep(-1000, 'minus'));
        log(yield* sleep(1, 'one'));
      },
    },
    {
      name: 'a sleep of no number is refused',
      covers: 'BaseTaskTests: sleep_when_delay_is_nan',
      python: `
        async def main():
            log(await outcome(sleep(float("nan"))))
      `,
      *main() {
        log(attempt(() => sleep(NaN)));
      },
    },
    {
      name: 'cancelling a sleeper wakes it at once and leaves no timer',
      covers: 'BaseTaskTests: sleep_cancel, task_cancel_sleeping_task',
      python: `
        async def main():
            task = create_task(sleep(5))
            await sleep(0.01)
            task.cancel()
            log(await outcome(task))
            await sleep(0.01)
      `,
      *main() {
        const task = createTask(function* () {
          yield* sleep(5000);
        });
        yield* sleep(10);
        task.cancel();
        log(yield* outcome(task));
        yield* sleep(10);
      },
    },
    {
      name: 'a task keeps the context in which it was made, and what it sets in it',
      covers: 'BaseTaskTests: context_1, context_2, context_3, context_4',
      python: `
        async def main():
            variable = contextvars.ContextVar("variable", default="none")
            async def child(name):
                for i in range(3):
                    log(name, variable.get())
                    variable.set(f"{name} {i}")
                    await sleep(0)
            variable.set("one")
            a = create_task(child("a"))
            variable.set("two")
            b = create_task(child("b"))
            await gather(a, b)
            log("main", variable.get())
      `,
      *main() {
        const variable = new AsyncLocalStorage<string>();
        function* child(name: string) {
          for (let i = 0; i < 3; i++) {
            log(name, variable.getStore());
            variable.enterWith(`${name} ${String(i)}`);
            yield* sleep(0);
          }
        }
        variable.enterWith('one');
        const a = createTask(child('a'));
        variable.enterWith('two');
        const b = createTask(child('b'));
        yield* gather([a, b]);
        log('main', variable.getStore());
      },
    },
    ...several,
  ],
};
