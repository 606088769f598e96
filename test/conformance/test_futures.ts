// Futures: states, done callbacks, reading and setting.
import { createTask, ensureFuture, sleep } from '../../src/index.js';
import { attempt, Boom, future, log, loop, outcome, state, type Suite } from './support/program.js';

export const futures: Suite = {
  module: 'test_futures',
  also: 'test_futures2',
  programs: [
    {
      name: 'a new future is pending and cannot be read',
      covers: 'BaseFutureTests: initial_state, result, exception',
      python: `
        async def main():
            f = future()
            log(state(f), f.done(), f.cancelled())
            log(attempt(f.result), attempt(f.exception))
      `,
      *main() {
        const f = future();
        log(state(f), f.done(), f.cancelled());
        log(
          attempt(() => f.result()),
          attempt(() => f.exception()),
        );
      },
    },
    {
      name: 'a result is set once and read as often as wanted',
      covers: 'BaseFutureTests: result',
      python: `
        async def main():
            f = future()
            f.set_result(7)
            log(f.result(), f.result(), f.exception(), f.done(), f.cancelled())
            log(attempt(f.set_result, 8), attempt(f.set_exception, Boom("no")), f.cancel())
            log(state(f))
      `,
      *main() {
        const f = future();
        f.setResult(7);
        log(f.result(), f.result(), f.exception(), f.done(), f.cancelled());
        log(
          attempt(() => f.setResult(8)),
          attempt(() => f.setException(new Boom('no'))),
          f.cancel(),
        );
        log(state(f));
      },
    },
    {
      name: 'an exception is set once; result() throws it, exception() returns it',
      covers: 'BaseFutureTests: exception',
      python: `
        async def main():
            f = future()
            f.set_exception(Boom("once"))
            log(attempt(f.result), f.exception(), f.done(), f.cancelled())
            log(attempt(f.set_result, 8), attempt(f.set_exception, Boom("no")), f.cancel())
      `,
      *main() {
        const f = future();
        f.setException(new Boom('once'));
        log(
          attempt(() => f.result()),
          f.exception(),
          f.done(),
          f.cancelled(),
        );
        log(
          attempt(() => f.setResult(8)),
          attempt(() => f.setException(new Boom('no'))),
          f.cancel(),
        );
      },
    },
    {
      name: 'a cancelled future throws when it is read, and takes no result',
      covers: 'BaseFutureTests: cancel',
      python: `
        async def main():
            f = future()
            log(f.cancel(), f.cancel(), f.cancelled(), f.done())
            log(attempt(f.result), attempt(f.exception))
            log(attempt(f.set_result, 1), attempt(f.set_exception, Boom("no")))
      `,
      *main() {
        const f = future();
        log(f.cancel(), f.cancel(), f.cancelled(), f.done());
        log(
          attempt(() => f.result()),
          attempt(() => f.exception()),
        );
        log(
          attempt(() => f.setResult(1)),
          attempt(() => f.setException(new Boom('no'))),
        );
      },
    },
    {
      name: 'the reason of a cancellation is what reading and waiting throw',
      covers: 'BaseFutureTests: future_cancel_message_getter',
      python: `
        async def main():
            f = future()
            f.cancel("why")
            log(attempt(f.result), await outcome(f))
      `,
      *main() {
        const f = future();
        f.cancel('why');
        log(
          attempt(() => f.result()),
          yield* outcome(f),
        );
      },
    },
    {
      name: 'waiting for a future that is done takes no turn',
      covers: 'BaseFutureTests: iter; FutureTests: future_traceback',
      python: `
        async def main():
            f, g = future(), future()
            f.set_result("value")
            g.set_exception(Boom("error"))
            log(await f, await outcome(g), await f, await outcome(g))
      `,
      *main() {
        const [f, g] = [future(), future()];
        f.setResult('value');
        g.setException(new Boom('error'));
        log(yield* f, yield* outcome(g), yield* f, yield* outcome(g));
      },
    },
    {
      name: 'done callbacks run in the next turn, in the order in which they were added',
      covers:
        'BaseFutureDoneCallbackTests: callbacks_invoked_on_set_result, callbacks_invoked_on_set_exception',
      python: `
        async def main():
            f, g = future(), future()
            for name in "abc":
                f.add_done_callback(lambda one, name=name: log(name, state(one)))
                g.add_done_callback(lambda one, name=name: log(name, state(one)))
            g.set_exception(Boom("g"))
            f.set_result("f")
            log("set")
            await sleep(0)
            log("after")
      `,
      *main() {
        const [f, g] = [future(), future()];
        for (const name of 'abc') {
          f.addDoneCallback((one) => log(name, state(one)));
          g.addDoneCallback((one) => log(name, state(one)));
        }
        g.setException(new Boom('g'));
        f.setResult('f');
        log('set');
        yield* sleep(0);
        log('after');
      },
    },
    {
      name: 'a callback added to a future that is done is scheduled, not called',
      covers: 'BaseFutureDoneCallbackTests: callbacks_invoked_on_set_result',
      python: `
        async def main():
            f = future()
            f.set_result(1)
            loop().call_soon(log, "before")
            f.add_done_callback(lambda one: log("callback"))
            loop().call_soon(log, "behind")
            log("added")
            await sleep(0)
            log("end")
      `,
      *main() {
        const f = future();
        f.setResult(1);
        loop().callSoon(log, 'before');
        f.addDoneCallback(() => log('callback'));
        loop().callSoon(log, 'behind');
        log('added');
        yield* sleep(0);
        log('end');
      },
    },
    {
      name: 'removing a callback removes all that are equal and tells how many',
      covers: 'BaseFutureDoneCallbackTests: remove_done_callback, callbacks_remove_first_callback',
      python: `
        async def main():
            f = future()
            one = lambda f: log("one")
            two = lambda f: log("two")
            for callback in (one, two, one):
                f.add_done_callback(callback)
            log(f.remove_done_callback(one), f.remove_done_callback(one))
            f.set_result(None)
            log(f.remove_done_callback(two))
            await sleep(0)
      `,
      *main() {
        const f = future();
        const one = (): void => log('one');
        const two = (): void => log('two');
        for (const callback of [one, two, one]) f.addDoneCallback(callback);
        log(f.removeDoneCallback(one), f.removeDoneCallback(one));
        f.setResult(null);
        log(f.removeDoneCallback(two));
        yield* sleep(0);
      },
    },
    {
      name: 'a callback removed before the future is done leaves the others in order',
      covers:
        'BaseFutureDoneCallbackTests: callbacks_remove_first_and_second_callback, callbacks_remove_third_callback',
      python: `
        async def main():
            callbacks = [lambda f, i=i: log("callback", i) for i in range(5)]
            for removed in ([0], [0, 1], [2], [1, 3], [4, 0]):
                f = future()
                for callback in callbacks:
                    f.add_done_callback(callback)
                for i in removed:
                    f.remove_done_callback(callbacks[i])
                f.set_result(None)
                await sleep(0)
      `,
      *main() {
        const callbacks = [0, 1, 2, 3, 4].map((i) => () => log('callback', i));
        for (const removed of [[0], [0, 1], [2], [1, 3], [4, 0]]) {
          const f = future();
          for (const callback of callbacks) f.addDoneCallback(callback);
          for (const i of removed) f.removeDoneCallback(callbacks[i]!);
          f.setResult(null);
          yield* sleep(0);
        }
      },
    },
    {
      name: 'a callback added by a callback runs a turn later',
      covers: 'BaseFutureDoneCallbackTests: schedule_callbacks_list_mutation_1',
      python: `
        async def main():
            f = future()
            def first(f):
                log("first")
                f.add_done_callback(lambda f: log("third"))
            f.add_done_callback(first)
            f.add_done_callback(lambda f: log("second"))
            f.set_result(None)
            await sleep(0)
            await sleep(0)
            log("end")
      `,
      *main() {
        const f = future();
        f.addDoneCallback((one) => {
          log('first');
          one.addDoneCallback(() => log('third'));
        });
        f.addDoneCallback(() => log('second'));
        f.setResult(null);
        yield* sleep(0);
        yield* sleep(0);
        log('end');
      },
    },
    {
      name: 'a callback that throws is reported and does not keep the others from running',
      covers: 'FutureTests: handle_exc_handler_correct_context',
      python: `
        async def main():
            f = future()
            def fails(f):
                raise Boom("callback")
            f.add_done_callback(fails)
            f.add_done_callback(lambda f: log("second"))
            f.set_result(None)
            await sleep(0)
            log("end")
      `,
      *main() {
        const f = future();
        f.addDoneCallback(() => {
          throw new Boom('callback');
        });
        f.addDoneCallback(() => log('second'));
        f.setResult(null);
        yield* sleep(0);
        log('end');
      },
    },
    {
      name: 'cancelling a future schedules its callbacks, and wakes who waits with an error',
      covers: 'BaseFutureTests: cancel; BaseFutureDoneCallbackTests: callbacks_invoked_on_set_result',
      python: `
        async def main():
            f = future()
            f.add_done_callback(lambda one: log("callback", state(one)))
            async def waits(name):
                log(name, await outcome(f))
            tasks = [create_task(waits("a")), create_task(waits("b"))]
            await sleep(0)
            f.add_done_callback(lambda one: log("last", state(one)))
            log(f.cancel())
            for task in tasks:
                await task
            log(state(tasks[0]), state(tasks[1]))
      `,
      *main() {
        const f = future();
        f.addDoneCallback((one) => log('callback', state(one)));
        function* waits(name: string) {
          log(name, yield* outcome(f));
        }
        const tasks = [createTask(waits('a')), createTask(waits('b'))];
        yield* sleep(0);
        f.addDoneCallback((one) => log('last', state(one)));
        log(f.cancel());
        for (const task of tasks) yield* task;
        log(state(tasks[0]!), state(tasks[1]!));
      },
    },
    {
      name: 'who waits and who was called back share one order',
      python: `
        async def main():
            f = future()
            async def waits(name):
                log(name, await f)
            f.add_done_callback(lambda one: log("before"))
            first = create_task(waits("first"))
            await sleep(0)
            f.add_done_callback(lambda one: log("between"))
            second = create_task(waits("second"))
            await sleep(0)
            f.add_done_callback(lambda one: log("behind"))
            f.set_result("value")
            await second
      `,
      *main() {
        const f = future();
        function* waits(name: string) {
          log(name, yield* f);
        }
        f.addDoneCallback(() => log('before'));
        createTask(waits('first'));
        yield* sleep(0);
        f.addDoneCallback(() => log('between'));
        const second = createTask(waits('second'));
        yield* sleep(0);
        f.addDoneCallback(() => log('behind'));
        f.setResult('value');
        yield* second;
      },
    },
    {
      name: 'a result that comes too late is refused, and the cancellation stands',
      covers: 'BaseFutureTests: set_result_unless_cancelled',
      python: `
        async def main():
            f = future()
            loop().call_later(0.01, f.cancel)
            loop().call_later(0.02, lambda: log(attempt(f.set_result, 1)))
            log(await outcome(f))
            await sleep(0.03)
            log(state(f))
      `,
      *main() {
        const f = future();
        loop().callLater(10, () => f.cancel());
        loop().callLater(20, () => log(attempt(() => f.setResult(1))));
        log(yield* outcome(f));
        yield* sleep(30);
        log(state(f));
      },
    },
    {
      name: 'an exception set while several wait reaches each of them',
      covers: 'BaseFutureTests: future_iter_throw',
      python: `
        async def main():
            f = future()
            async def waits(name):
                try:
                    await f
                except Boom as error:
                    log(name, error)
                finally:
                    log(name, "finally")
            tasks = [create_task(waits(name)) for name in "ab"]
            await sleep(0)
            f.set_exception(Boom("shared"))
            await tasks[1]
      `,
      *main() {
        const f = future();
        function* waits(name: string) {
          try {
            yield* f;
          } catch (error) {
            log(name, error);
          } finally {
            log(name, 'finally');
          }
        }
        const tasks = [...'ab'].map((name) => createTask(waits(name)));
        yield* sleep(0);
        f.setException(new Boom('shared'));
        yield* tasks[1]!;
      },
    },
    {
      name: 'a callback that removes others while they are being scheduled takes nothing back',
      covers:
        'BaseFutureDoneCallbackTests: schedule_callbacks_list_mutation_2, remove_done_callbacks_list_mutation, remove_done_callbacks_list_clear',
      python: `
        async def main():
            f = future()
            def second(f):
                log("second")
            def first(f):
                log("first", f.remove_done_callback(second))
            f.add_done_callback(first)
            f.add_done_callback(second)
            f.set_result(None)
            await sleep(0)
            log(f.remove_done_callback(first))
      `,
      *main() {
        const f = future();
        const second = (): void => log('second');
        const first = (): void => log('first', f.removeDoneCallback(second));
        f.addDoneCallback(first);
        f.addDoneCallback(second);
        f.setResult(null);
        yield* sleep(0);
        log(f.removeDoneCallback(first));
      },
    },
    {
      name: 'ensureFuture makes a task of a coroutine, and leaves futures as they are',
      covers: 'DuckTests: ensure_future',
      python: `
        async def child():
            return 7
        async def main():
            f = future()
            task = create_task(child())
            log(ensure_future(f) is f, ensure_future(task) is task)
            log(await ensure_future(child()), attempt(ensure_future, 42))
            await task
      `,
      *main() {
        function* child() {
          return 7;
        }
        const f = future();
        const task = createTask(child());
        log(ensureFuture(f) === f, ensureFuture(task) === task);
        log(
          yield* ensureFuture(child()),
          attempt(() => ensureFuture(42 as any)),
        );
        yield* task;
      },
    },
    {
      name: 'a future can hold a future as its result, which is not unwrapped',
      python: `
        async def main():
            inner, outer = future(), future()
            outer.set_result(inner)
            log((await outer) is inner, state(inner))
      `,
      *main() {
        const [inner, outer] = [future(), future()];
        outer.setResult(inner);
        log((yield* outer) === inner, state(inner));
      },
    },
    {
      name: 'a callback on a failing future runs whether anybody reads the error or not',
      covers: 'BaseFutureTests: tb_logger_exception_retrieved',
      python: `
        async def main():
            f = future()
            f.add_done_callback(lambda one: log("unread"))
            f.add_done_callback(lambda one: log("read", one.exception()))
            f.set_exception(Boom("error"))
            await sleep(0)
            await sleep(0)
      `,
      *main() {
        const f = future();
        f.addDoneCallback(() => log('unread'));
        f.addDoneCallback((one) => log('read', one.exception()));
        f.setException(new Boom('error'));
        yield* sleep(0);
        yield* sleep(0);
      },
    },
  ],
};
