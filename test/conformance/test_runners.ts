// Whole programs: what run() returns and throws, and what happens to what is left over.
import { AsyncLocalStorage } from 'node:async_hooks';
import { createTask, currentTask, EventLoop, run, Runner, sleep, type Awaitable } from '../../src/index.js';
import { Boom, future, log, loop, type Suite } from './support/program.js';

/** What an asynchronous call gave or threw. */
async function settled(call: () => PromiseLike<unknown>): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    return error;
  }
}

function* ends(name: string): Generator<unknown, void, unknown> {
  try {
    yield* sleep(0);
    log(name, 'waits');
    yield* future();
  } finally {
    log(name, 'ends');
  }
}

// The same in Python, for texts that need it.
const ENDS = `
        async def ends(name):
            try:
                await sleep(0)
                log(name, "waits")
                await future()
            finally:
                log(name, "ends")
`;

export const runners: Suite = {
  module: 'test_runners',
  programs: [
    {
      name: 'run gives what the program returns and throws what it throws',
      covers: 'RunTests: asyncio_run_return, asyncio_run_raises; RunnerTests: run',
      python: `
        async def returns():
            await sleep(0)
            return 7
        async def fails():
            await sleep(0)
            raise Boom("main")
        def program():
            log(run(returns()))
            log(attempt(run, fails()))
      `,
      async program() {
        function* returns() {
          yield* sleep(0);
          return 7;
        }
        function* fails(): Generator<unknown, void, unknown> {
          yield* sleep(0);
          throw new Boom('main');
        }
        log(await run(returns));
        log(await settled(() => run(fails)));
      },
    },
    {
      name: 'run takes nothing but coroutines',
      covers: 'RunTests: asyncio_run_only_coro; RunnerTests: run_non_coro',
      python: `
        def program():
            log(attempt(run, 42), attempt(run, None), attempt(run, log))
      `,
      async program() {
        log(
          await settled(async () => await run(42 as any)),
          await settled(async () => await run(null as any)),
          await settled(async () => await run(Promise.resolve() as any)),
        );
      },
    },
    {
      name: 'run refuses to run inside of a loop that runs',
      covers: 'RunTests: asyncio_run_from_running_loop; RunnerTests: recursive_run',
      python: `
        async def nothing():
            log("never")
        async def main():
            inner = nothing()
            log(attempt(run, inner))
            inner.close()
        def program():
            run(main())
      `,
      async program() {
        await run(async () => {
          log(
            await settled(async () => {
              await run(function* () {
                log('never');
              });
            }),
          );
        });
      },
    },
    {
      name: 'run cancels what is left over and waits for its clean-up',
      covers: 'RunTests: asyncio_run_cancels_hanging_tasks',
      python: `${ENDS}
        async def cleans_up():
            try:
                await future()
            finally:
                await sleep(0)
                await sleep(0)
                log("cleaned up")
        async def main():
            create_task(ends("a"))
            create_task(cleans_up())
            await sleep(0)
            await sleep(0)
            log("main ends")
        def program():
            run(main())
            log("over")
      `,
      async program() {
        function* cleansUp() {
          try {
            yield* future();
          } finally {
            yield* sleep(0);
            yield* sleep(0);
            log('cleaned up');
          }
        }
        await run(function* () {
          createTask(ends('a'));
          createTask(cleansUp());
          yield* sleep(0);
          yield* sleep(0);
          log('main ends');
        });
        log('over');
      },
    },
    {
      name: 'run cancels what is left over when the program throws, too',
      covers: 'RunTests: asyncio_run_cancels_hanging_tasks',
      python: `${ENDS}
        async def main():
            create_task(ends("a"))
            await sleep(0)
            await sleep(0)
            raise Boom("main")
        def program():
            log(attempt(run, main()))
      `,
      async program() {
        log(
          await settled(() =>
            run(function* () {
              createTask(ends('a'));
              yield* sleep(0);
              yield* sleep(0);
              throw new Boom('main');
            }),
          ),
        );
      },
    },
    {
      name: 'run reports the errors of what is left over',
      covers: 'RunTests: asyncio_run_reports_hanging_tasks_errors',
      python: `
        async def fails():
            try:
                await future()
            finally:
                raise Boom("left over")
        async def main():
            loop().set_exception_handler(on_exception)
            create_task(fails())
            await sleep(0)
            return "value"
        def program():
            log(run(main()))
      `,
      async program() {
        function* fails() {
          try {
            yield* future();
          } catch {
            throw new Boom('left over');
          }
        }
        log(
          await run(function* () {
            loop().setExceptionHandler((_, { exception }) => log('unhandled', exception));
            createTask(fails());
            yield* sleep(0);
            return 'value';
          }),
        );
      },
    },
    {
      name: 'a program that cancels itself makes run throw the cancellation',
      covers: 'RunTests: asyncio_run_without_uncancel; RunnerTests: interrupt_cancelled_task',
      python: `
        async def main():
            current_task().cancel("own")
            await sleep(0)
            log("not reached")
        def program():
            log(attempt(run, main()))
      `,
      async program() {
        log(
          await settled(() =>
            run(function* () {
              currentTask()!.cancel('own');
              yield* sleep(0);
              log('not reached');
            }),
          ),
        );
      },
    },
    {
      name: 'a task made while the rest is cancelled',
      python: `
        async def late():
            try:
                await future()
            except CancelledError:
                log("late cancelled")
                raise
        async def makes():
            try:
                await future()
            finally:
                create_task(late())
                log("made")
        async def main():
            loop().set_exception_handler(lambda *_: None)
            create_task(makes())
            await sleep(0)
        def program():
            run(main())
            log("over")
      `,
      async program() {
        function* late() {
          try {
            yield* future();
          } catch (error) {
            log('late cancelled');
            throw error;
          }
        }
        function* makes() {
          try {
            yield* future();
          } finally {
            createTask(late());
            log('made');
          }
        }
        await run(function* () {
          createTask(makes());
          yield* sleep(0);
        });
        log('over');
      },
      deviation: {
        reason: 'what is made during the clean-up is cancelled as well',
        trace: ['made', 'late cancelled', 'over'],
      },
    },
    {
      name: 'a runner runs several programs on one loop, and what is left goes on in the next',
      covers: 'RunnerTests: run, explicit_close',
      python: `
        async def background():
            for i in range(4):
                log("background", i)
                await sleep(0)
        async def first():
            global task
            task = create_task(background())
            await sleep(0)
            log("first ends")
            return loop()
        async def second():
            log("second")
            await task
            return loop()
        def program():
            with asyncio.Runner() as runner:
                one = runner.run(first())
                two = runner.run(second())
                log(one is two, one is runner.get_loop(), one.is_closed())
            log(one.is_closed())
      `,
      async program() {
        let task: Awaitable<void> | undefined;
        const runner = new Runner();
        const one = await runner.run(function* () {
          task = createTask(function* () {
            for (let i = 0; i < 4; i++) {
              log('background', i);
              yield* sleep(0);
            }
          });
          yield* sleep(0);
          log('first ends');
          return loop();
        });
        const two = await runner.run(function* () {
          log('second');
          yield* task!;
          return loop();
        });
        log(one === two, one === runner.loop, one.isClosed());
        await runner.close();
        log(one.isClosed());
      },
    },
    {
      name: 'a runner is closed once and for all',
      covers: 'RunnerTests: double_close, explicit_close, second_with_block_raises',
      python: `
        async def main():
            return "value"
        def program():
            runner = asyncio.Runner()
            log(runner.run(main()))
            runner.close()
            runner.close()
            late = main()
            log(attempt(runner.run, late), attempt(runner.get_loop))
            late.close()
      `,
      async program() {
        function* main() {
          return 'value';
        }
        const runner = new Runner();
        log(await runner.run(main));
        await runner.close();
        await runner.close();
        log(await settled(async () => await runner.run(main)), await settled(async () => runner.loop));
      },
    },
    {
      name: 'a runner makes its loop by the factory it was given',
      covers: 'RunnerTests: custom_factory; RunTests: asyncio_run_loop_factory',
      python: `
        async def main():
            return loop()
        def program():
            def factory():
                global made
                log("factory")
                made = asyncio.new_event_loop()
                return made
            log(run(main(), loop_factory=factory) is made)
      `,
      async program() {
        let made: EventLoop | undefined;
        const used = await run(
          function* () {
            return loop();
          },
          {
            loopFactory: (options) => {
              log('factory');
              return (made = new EventLoop(options));
            },
          },
        );
        log(used === made);
      },
    },
    {
      name: 'a context variable that one program of a runner sets',
      covers: 'RunnerTests: run_keeps_context',
      python: `
        variable = contextvars.ContextVar("variable", default=None)
        async def sets():
            variable.set("first")
        async def reads():
            log(variable.get())
        def program():
            with asyncio.Runner() as runner:
                runner.run(sets())
                runner.run(reads())
            log(variable.get())
      `,
      async program() {
        const variable = new AsyncLocalStorage<string>();
        const runner = new Runner();
        await runner.run(function* () {
          variable.enterWith('first');
        });
        await runner.run(function* () {
          log(variable.getStore());
        });
        await runner.close();
        log(variable.getStore());
      },
      deviation: {
        reason: 'each run has the context of its call, where that of the runner has a life of its own',
        trace: ['none', 'none'],
      },
    },
    {
      name: 'running until something is done: the loop stops, whatever else goes on',
      covers: 'RunnerTests: run_future',
      python: `
        async def background():
            for i in range(3):
                log("background", i)
                await sleep(0)
        async def main():
            create_task(background())
            await sleep(0)
            return "value"
        def program():
            loop = asyncio.new_event_loop()
            log(loop.run_until_complete(main()), loop.is_running())
            log(loop.run_until_complete(main()))
            log(len(all_tasks(loop)))
            loop.close()
      `,
      async program() {
        function* background() {
          for (let i = 0; i < 3; i++) {
            log('background', i);
            yield* sleep(0);
          }
        }
        function* main() {
          createTask(background());
          yield* sleep(0);
          return 'value';
        }
        const owned = new EventLoop();
        owned.setExceptionHandler(() => undefined);
        log(await owned.runUntilComplete(main()), owned.isRunning());
        log(await owned.runUntilComplete(main()));
        log(owned.allTasks().size);
        owned.close();
      },
    },
    {
      name: 'a loop that is stopped before the future is done says so, and goes on later',
      python: `
        def program():
            loop = asyncio.new_event_loop()
            f = loop.create_future()
            loop.call_soon(loop.stop)
            log(attempt(loop.run_until_complete, f))
            loop.call_soon(f.set_result, "value")
            log(loop.run_until_complete(f))
            loop.close()
            log(attempt(loop.call_soon, log), attempt(loop.run_until_complete, f), loop.is_closed())
            loop.close()
      `,
      async program() {
        const owned = new EventLoop();
        const f = owned.createFuture<string>();
        owned.callSoon(() => owned.stop());
        log(await settled(() => owned.runUntilComplete(f)));
        owned.callSoon(() => f.setResult('value'));
        log(await owned.runUntilComplete(f));
        owned.close();
        log(
          await settled(async () => owned.callSoon(log)),
          await settled(async () => await owned.runUntilComplete(f)),
          owned.isClosed(),
        );
        owned.close();
      },
    },
  ],
};
