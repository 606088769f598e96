// The loop: callbacks, timers, batches, the exception handler, the task factory, stopping and closing.
import { AsyncLocalStorage } from 'node:async_hooks';
import { createTask, currentTask, sleep, Task, type Handle } from '../../src/index.js';
import { attempt, Boom, future, log, loop, outcome, state, type Suite } from './support/program.js';

export const baseEvents: Suite = {
  module: 'test_base_events',
  also: 'test_events',
  programs: [
    {
      name: 'callbacks run in the order in which they were scheduled, with their arguments',
      covers: 'BaseEventLoopTests: call_soon; EventLoopTestsMixin: call_soon',
      python: `
        async def main():
            for i in range(3):
                loop().call_soon(log, "callback", i)
            log("scheduled")
            await sleep(0)
            log("end")
      `,
      *main() {
        for (let i = 0; i < 3; i++) loop().callSoon(log, 'callback', i);
        log('scheduled');
        yield* sleep(0);
        log('end');
      },
    },
    {
      name: 'what a callback schedules runs in the next turn',
      covers: 'BaseEventLoopTests: _run_once_schedule_handle',
      python: `
        async def main():
            def again(left):
                log("again", left)
                if left > 0:
                    loop().call_soon(again, left - 1)
            loop().call_soon(again, 3)
            loop().call_soon(log, "other")
            await sleep(0.01)
      `,
      *main() {
        function again(left: number): void {
          log('again', left);
          if (left > 0) loop().callSoon(again, left - 1);
        }
        loop().callSoon(again, 3);
        loop().callSoon(log, 'other');
        yield* sleep(10);
      },
    },
    {
      name: 'a cancelled callback does not run, even when its batch is under way',
      covers: 'BaseEventLoopTests: _add_callback_cancelled_handle; HandleTests: handle; TimerTests: timer',
      python: `
        async def main():
            handles = {}
            handles["b"] = None
            def a():
                log("a", handles["b"].cancelled())
                handles["b"].cancel()
                log(handles["b"].cancelled())
            loop().call_soon(a)
            handles["b"] = loop().call_soon(log, "b")
            timer = loop().call_later(0.01, log, "timer")
            timer.cancel()
            timer.cancel()
            log(timer.cancelled())
            await sleep(0.02)
      `,
      *main() {
        let b: Handle | null = null;
        loop().callSoon(() => {
          log('a', b!.cancelled());
          b!.cancel();
          log(b!.cancelled());
        });
        b = loop().callSoon(log, 'b');
        const timer = loop().callLater(10, log, 'timer');
        timer.cancel();
        timer.cancel();
        log(timer.cancelled());
        yield* sleep(20);
      },
    },
    {
      name: 'timers run in the order of their deadlines',
      covers:
        'BaseEventLoopTests: call_later, time_and_call_at; EventLoopTestsMixin: call_later; TimerTests: when',
      python: `
        async def main():
            loop().call_later(0.03, log, "third")
            timer = loop().call_at(loop().time() + 0.01, log, "first")
            loop().call_later(0.02, log, "second")
            log(timer.when() * 1000)
            await sleep(0.04)
      `,
      *main() {
        loop().callLater(30, log, 'third');
        const timer = loop().callAt(loop().time() + 10, log, 'first');
        loop().callLater(20, log, 'second');
        log(timer.when());
        yield* sleep(40);
      },
    },
    {
      name: 'timers that are due run behind what is ready, the earliest deadline first',
      covers: 'BaseEventLoopTests: call_later_negative_delays',
      python: `
        async def main():
            loop().call_later(0, log, "zero")
            loop().call_later(-0.005, log, "minus")
            loop().call_soon(log, "soon")
            await sleep(0)
            log("a turn later")
            await sleep(0)
      `,
      *main() {
        loop().callLater(0, log, 'zero');
        loop().callLater(-5, log, 'minus');
        loop().callSoon(log, 'soon');
        yield* sleep(0);
        log('a turn later');
        yield* sleep(0);
      },
    },
    {
      name: 'a timer that starts itself anew with no delay runs once a turn',
      python: `
        async def main():
            def again(left):
                log("again", left)
                if left > 0:
                    loop().call_later(0, again, left - 1)
            loop().call_later(0, again, 2)
            for _ in range(4):
                await sleep(0)
                log("turn")
      `,
      *main() {
        function again(left: number): void {
          log('again', left);
          if (left > 0) loop().callLater(0, again, left - 1);
        }
        loop().callLater(0, again, 2);
        for (let i = 0; i < 4; i++) {
          yield* sleep(0);
          log('turn');
        }
      },
    },
    {
      name: 'timers with one deadline run in one turn, in some order',
      python: `
        async def main():
            for i in range(8):
                loop().call_later(0.01, log, i)
            await sleep(0.02)
      `,
      *main() {
        for (let i = 0; i < 8; i++) loop().callLater(10, log, i);
        yield* sleep(20);
      },
      deviation: {
        reason: 'timers with one deadline run in the order in which they were started',
        trace: [0, 1, 2, 3, 4, 5, 6, 7].map((i) => `10ms/1 ${String(i)}`),
      },
    },
    {
      name: 'what is no function cannot be scheduled',
      covers: 'BaseEventLoopTests: call_soon_non_callable',
      python: `
        async def main():
            loop().set_debug(True)
            log(attempt(loop().call_soon, 42), attempt(loop().call_later, 1, None))
            loop().set_debug(False)
      `,
      *main() {
        log(
          attempt(() => loop().callSoon(42 as any)),
          attempt(() => loop().callLater(1000, null as any)),
        );
      },
    },
    {
      name: 'a callback that throws is reported, and the batch goes on',
      covers:
        'BaseEventLoopTests: default_exc_handler_callback, set_exc_handler_custom; HandleTests: callback_with_exception',
      python: `
        async def main():
            def fails(name):
                raise Boom(name)
            loop().call_soon(fails, "a")
            loop().call_soon(log, "between")
            loop().call_soon(fails, "b")
            loop().call_later(0.01, fails, "timer")
            await sleep(0.02)
            log("end")
      `,
      *main() {
        function fails(name: string): never {
          throw new Boom(name);
        }
        loop().callSoon(fails, 'a');
        loop().callSoon(log, 'between');
        loop().callSoon(fails, 'b');
        loop().callLater(10, fails, 'timer');
        yield* sleep(20);
        log('end');
      },
    },
    {
      name: 'the exception handler gets what it is told, and who gives it none gets the default',
      covers: 'BaseEventLoopTests: set_exc_handler_custom, set_exc_handler_invalid',
      python: `
        async def main():
            log(attempt(loop().set_exception_handler, "no function"))
            before = loop().get_exception_handler()
            loop().set_exception_handler(lambda _, context: log("handler", context["exception"], context["message"]))
            loop().call_exception_handler({"message": "told", "exception": Boom("direct")})
            loop().set_exception_handler(None)
            log(loop().get_exception_handler())
            loop().set_exception_handler(before)
      `,
      *main() {
        log(attempt(() => loop().setExceptionHandler('no function' as any)));
        const before = loop().getExceptionHandler();
        loop().setExceptionHandler((_, { exception, message }) => log('handler', exception, message));
        loop().callExceptionHandler({ message: 'told', exception: new Boom('direct') });
        loop().setExceptionHandler(null);
        log(loop().getExceptionHandler());
        loop().setExceptionHandler(before);
      },
    },
    {
      name: 'an exception handler that throws keeps nothing from running',
      covers: 'BaseEventLoopTests: set_exc_handler_broken',
      python: `
        async def main():
            before = loop().get_exception_handler()
            def broken(loop, context):
                log("handler", context["exception"])
                raise Boom("handler")
            loop().set_exception_handler(broken)
            def fails():
                raise Boom("callback")
            loop().call_soon(fails)
            loop().call_soon(log, "behind")
            await sleep(0)
            loop().set_exception_handler(before)
      `,
      *main() {
        const before = loop().getExceptionHandler();
        const { error } = console;
        // The default handler says it on standard error.
        console.error = () => undefined;
        loop().setExceptionHandler((_, { exception }) => {
          log('handler', exception);
          throw new Boom('handler');
        });
        loop().callSoon(() => {
          throw new Boom('callback');
        });
        loop().callSoon(log, 'behind');
        yield* sleep(0);
        console.error = error;
        loop().setExceptionHandler(before);
      },
    },
    {
      name: 'a task factory makes the tasks, until there is none',
      covers:
        'BaseEventLoopTests: set_task_factory, set_task_factory_invalid, create_named_task_with_custom_factory, create_task',
      python: `
        async def child():
            return "value"
        async def main():
            log(attempt(loop().set_task_factory, 42), loop().get_task_factory())
            def factory(loop, coroutine, **options):
                log("factory", sorted(options))
                return Task(coroutine, loop=loop, **options)
            loop().set_task_factory(factory)
            log(await create_task(child()))
            loop().set_task_factory(None)
            log(await create_task(child()))
      `,
      *main() {
        function* child() {
          return 'value';
        }
        log(
          attempt(() => loop().setTaskFactory(42 as any)),
          loop().getTaskFactory(),
        );
        loop().setTaskFactory((owner, coroutine, options) => {
          log('factory', Object.keys(options).sort());
          return new Task(owner, coroutine, options);
        });
        log(yield* createTask(child()));
        loop().setTaskFactory(null);
        log(yield* createTask(child()));
      },
    },
    {
      name: 'all tasks are those that are not done',
      covers: 'BaseEventLoopTests: create_named_task_with_default_factory',
      python: `
        async def child():
            await sleep(0.01)
        async def main():
            tasks = [create_task(child(), name=name) for name in "ab"]
            log(sorted(task.get_name() for task in all_tasks() if task is not current_task()))
            await tasks[1]
            log(len(all_tasks()))
      `,
      *main() {
        function* child() {
          yield* sleep(10);
        }
        const tasks = [...'ab'].map((name) => createTask(child(), { name }));
        const others = [...loop().allTasks()].filter((task) => task !== currentTask());
        log(others.map((task) => task.name).sort());
        yield* tasks[1]!;
        log(loop().allTasks().size);
      },
    },
    {
      name: 'stopping lets the batch end, and keeps what it scheduled for the next run',
      covers:
        'BaseEventLoopTests: run_once, run_forever_pre_stopped; EventLoopTestsMixin: run_until_complete_stopped',
      python: `
        async def main():
            def stops():
                log("stops", loop().is_running())
                loop().stop()
                loop().call_soon(log, "next run")
            loop().call_soon(stops)
            loop().call_soon(log, "same batch")
            await sleep(0)
            log("end")
      `,
      *main() {
        loop().callSoon(() => {
          log('stops', loop().isRunning());
          loop().stop();
          loop().callSoon(log, 'next run');
        });
        loop().callSoon(log, 'same batch');
        yield* sleep(0);
        log('end');
      },
    },
    {
      name: 'a running loop can neither be run nor be closed',
      covers:
        'BaseEventLoopTests: close; EventLoopTestsMixin: close_running_event_loop; RunningLoopTests: running_loop_within_a_loop; BaseEventLoopTests: run_until_complete_loop',
      python: `
        async def main():
            log(attempt(loop().close), attempt(loop().run_until_complete, future()), loop().is_closed())
      `,
      *main() {
        log(
          attempt(() => loop().close()),
          attempt(() => loop().runUntilComplete(future())),
          loop().isClosed(),
        );
      },
    },
    {
      name: 'callbacks, done callbacks and tasks run in the context in which they were made',
      covers: 'EventLoopTestsMixin: call_soon',
      python: `
        async def main():
            variable = contextvars.ContextVar("variable")
            f = future()
            variable.set(1)
            loop().call_soon(lambda: log("soon", variable.get()))
            variable.set(2)
            f.add_done_callback(lambda _: log("done callback", variable.get()))
            variable.set(3)
            async def child():
                log("task", variable.get())
                variable.set(99)
                await sleep(0)
                log("task", variable.get())
            task = create_task(child())
            variable.set(4)
            f.set_result(None)
            await task
            log("main", variable.get())
      `,
      *main() {
        const variable = new AsyncLocalStorage<number>();
        const f = future();
        variable.enterWith(1);
        loop().callSoon(() => log('soon', variable.getStore()));
        variable.enterWith(2);
        f.addDoneCallback(() => log('done callback', variable.getStore()));
        variable.enterWith(3);
        const task = createTask(function* () {
          log('task', variable.getStore());
          variable.enterWith(99);
          yield* sleep(0);
          log('task', variable.getStore());
        });
        variable.enterWith(4);
        f.setResult(null);
        yield* task;
        log('main', variable.getStore());
      },
    },
    {
      name: 'a callback from another place of the same thread wakes the loop like any other',
      covers: 'EventLoopTestsMixin: call_soon_threadsafe_same_thread, call_soon_threadsafe',
      python: `
        async def main():
            loop().call_soon_threadsafe(log, "threadsafe")
            loop().call_soon(log, "soon")
            await sleep(0)
      `,
      *main() {
        loop().callSoonThreadsafe(log, 'threadsafe');
        loop().callSoon(log, 'soon');
        yield* sleep(0);
      },
    },
    {
      name: 'a cancelled sleeper among many timers changes nothing for the others',
      covers: 'BaseEventLoopTests: _run_once_cancelled_event_cleanup',
      python: `
        async def main():
            timers = [loop().call_later(0.01 * (1 + i), log, i) for i in range(6)]
            for i in (0, 3, 5):
                timers[i].cancel()
            await sleep(0.1)
            log(*[timer.cancelled() for timer in timers])
      `,
      *main() {
        const timers = [0, 1, 2, 3, 4, 5].map((i) => loop().callLater(10 * (1 + i), log, i));
        for (const i of [0, 3, 5]) timers[i]!.cancel();
        yield* sleep(100);
        log(...timers.map((timer) => timer.cancelled()));
      },
    },
    {
      name: 'waiting for a future of nobody leaves the others running',
      python: `
        async def main():
            async def forever():
                await future()
            task = create_task(forever())
            await sleep(0.01)
            log(state(task))
            task.cancel()
            log(await outcome(task))
      `,
      *main() {
        const task = createTask(function* () {
          yield* future();
        });
        yield* sleep(10);
        log(state(task));
        task.cancel();
        log(yield* outcome(task));
      },
    },
  ],
};
