// Eager tasks: the first step is taken by who makes the task.
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  createTask,
  currentTask,
  gather,
  sleep,
  taskGroup,
  type Coroutine,
  type Task,
} from '../../src/index.js';
import { Boom, future, log, loop, outcome, state, type Suite } from './support/program.js';

function eager<T>(coroutine: Coroutine<T>): Task<T> {
  return createTask(coroutine, { eagerStart: true });
}

// The same in Python, for texts that need it.
const EAGER = `
        def eager(coroutine):
            return Task(coroutine, loop=loop(), eager_start=True)
`;

export const eagerTasks: Suite = {
  module: 'test_eager_task_factory',
  programs: [
    {
      name: 'an eager task that never waits is done when it was made',
      covers: 'EagerTaskFactoryLoopTests: eager_completion, eager_task_factory_set',
      python: `${EAGER}
        async def child():
            log("child")
            return 7
        async def main():
            task = eager(child())
            log("made", state(task))
            log(await task)
      `,
      *main() {
        const task = eager(function* () {
          log('child');
          return 7;
        });
        log('made', state(task));
        log(yield* task);
      },
    },
    {
      name: 'an eager task that waits goes on in later turns',
      covers: 'EagerTaskFactoryLoopTests: block_after_eager_step, await_future_during_eager_step',
      python: `${EAGER}
        async def main():
            f = future()
            async def child():
                log("begins")
                log(await f)
                await sleep(0)
                log("ends")
            task = eager(child())
            log("made", state(task))
            f.set_result("value")
            await task
            log("end")
      `,
      *main() {
        const f = future();
        const task = eager(function* () {
          log('begins');
          log(yield* f);
          yield* sleep(0);
          log('ends');
        });
        log('made', state(task));
        f.setResult('value');
        yield* task;
        log('end');
      },
    },
    {
      name: 'an eager task waits in the order in which it began',
      python: `${EAGER}
        async def child(name):
            log(name, "begins")
            await sleep(0)
            log(name, "goes on")
        async def main():
            lazy = create_task(child("lazy"))
            quick = eager(child("eager"))
            loop().call_soon(log, "callback")
            await lazy
            await quick
      `,
      *main() {
        function* child(name: string) {
          log(name, 'begins');
          yield* sleep(0);
          log(name, 'goes on');
        }
        const lazy = createTask(child('lazy'));
        const quick = eager(child('eager'));
        loop().callSoon(log, 'callback');
        yield* lazy;
        yield* quick;
      },
    },
    {
      name: 'the error of an eager task is in the task, not thrown at who makes it',
      covers: 'EagerTaskFactoryLoopTests: eager_completion',
      python: `${EAGER}
        async def fails():
            raise Boom("eager")
        async def main():
            task = eager(fails())
            log(state(task), await outcome(task))
      `,
      *main() {
        const task = eager(function* (): Generator<unknown, void, unknown> {
          throw new Boom('eager');
        });
        log(state(task), yield* outcome(task));
      },
    },
    {
      name: 'during its first step the eager task is the current one, and its maker is afterwards',
      covers: 'EagerTaskFactoryLoopTests: current_task',
      python: `${EAGER}
        async def main():
            me = current_task()
            async def child():
                log(current_task() is me)
                inner = eager(grandchild())
                log(current_task() is me, current_task() is inner)
                await sleep(0)
                log(current_task() is task)
            async def grandchild():
                log("grandchild", current_task() is me)
            task = eager(child())
            log(current_task() is me)
            await task
      `,
      *main() {
        const me = currentTask();
        function* grandchild() {
          log('grandchild', currentTask() === me);
        }
        const task: Task<void> = eager(function* () {
          log(currentTask() === me);
          const inner = eager(grandchild());
          log(currentTask() === me, currentTask() === inner);
          yield* sleep(0);
          log(currentTask() === task);
        });
        log(currentTask() === me);
        yield* task;
      },
    },
    {
      name: 'an eager task that is done cannot be cancelled; one that waits can',
      covers:
        'EagerTaskFactoryLoopTests: cancellation_after_eager_completion, cancellation_after_eager_step_blocks',
      python: `${EAGER}
        async def quick():
            return 1
        async def slow():
            try:
                await sleep(1)
            finally:
                log("finally")
        async def main():
            done, waits = eager(quick()), eager(slow())
            log(done.cancel(), waits.cancel())
            log(await outcome(done), await outcome(waits), state(waits))
      `,
      *main() {
        const done = eager(function* () {
          return 1;
        });
        const waits = eager(function* () {
          try {
            yield* sleep(1000);
          } finally {
            log('finally');
          }
        });
        log(done.cancel(), waits.cancel());
        log(yield* outcome(done), yield* outcome(waits), state(waits));
      },
    },
    {
      name: 'all tasks: an eager one that is done is never among them',
      covers: 'EagerTaskFactoryLoopTests: all_tasks_with_eager_completion, all_tasks_with_blocking',
      python: `${EAGER}
        async def quick():
            log("inside", len(all_tasks()))
        async def slow():
            await sleep(0)
        async def main():
            eager(quick())
            log(len(all_tasks()))
            task = eager(slow())
            log(len(all_tasks()))
            await task
            log(len(all_tasks()))
      `,
      *main() {
        eager(function* () {
          log('inside', loop().allTasks().size);
        });
        log(loop().allTasks().size);
        const task = eager(function* () {
          yield* sleep(0);
        });
        log(loop().allTasks().size);
        yield* task;
        log(loop().allTasks().size);
      },
    },
    {
      name: 'done callbacks of an eager task that is done are scheduled',
      python: `${EAGER}
        async def quick():
            return "value"
        async def main():
            task = eager(quick())
            task.add_done_callback(lambda one: log("callback", state(one)))
            log("added")
            await sleep(0)
            log("end")
      `,
      *main() {
        const task = eager(function* () {
          return 'value';
        });
        task.addDoneCallback((one) => log('callback', state(one)));
        log('added');
        yield* sleep(0);
        log('end');
      },
    },
    {
      name: 'a chain of eager tasks that never wait takes no turn',
      covers: 'BaseTaskCountingTests: awaitables_chain',
      python: `${EAGER}
        async def link(depth):
            return 0 if depth == 0 else 1 + await eager(link(depth - 1))
        async def main():
            log(await eager(link(20)))
      `,
      *main() {
        function* link(depth: number): Generator<unknown, number, unknown> {
          return depth === 0 ? 0 : 1 + (yield* eager(link(depth - 1)));
        }
        log(yield* eager(link(20)));
      },
    },
    {
      name: 'eager children of nested groups',
      covers: 'BaseTaskCountingTests: recursive_taskgroups',
      python: `
        async def node(depth):
            log("node", depth)
            if depth == 0:
                return
            async with TaskGroup() as tg:
                tg.create_task(node(depth - 1))
                tg.create_task(node(depth - 1))
        async def main():
            loop().set_task_factory(asyncio.eager_task_factory)
            await node(2)
            log("end")
      `,
      *main() {
        function* node(depth: number): Generator<unknown, void, unknown> {
          log('node', depth);
          if (depth === 0) return;
          yield* taskGroup(function* (tg) {
            tg.createTask(node(depth - 1), { eagerStart: true });
            tg.createTask(node(depth - 1), { eagerStart: true });
          });
        }
        yield* node(2);
        log('end');
      },
      deviation: {
        reason: 'the group hears of a child that is done already in a later turn',
        since: '3.13.2',
        trace: [
          '0ms/1 node 2',
          '0ms/1 node 1',
          '0ms/1 node 0',
          '0ms/1 node 0',
          '0ms/1 node 1',
          '0ms/1 node 0',
          '0ms/1 node 0',
          '0ms/5 end',
        ],
      },
    },
    {
      name: 'an eager child that fails at once',
      covers: 'BaseTaskCountingTests: recursive_taskgroups',
      python: `
        async def fails():
            raise Boom("eager")
        async def main():
            loop().set_task_factory(asyncio.eager_task_factory)
            async def slow():
                try:
                    await sleep(1)
                finally:
                    log("cancelled")
            try:
                async with TaskGroup() as tg:
                    tg.create_task(slow())
                    tg.create_task(fails())
                    log("body goes on")
                    await sleep(0)
                    log("body after a turn")
            except ExceptionGroup as group:
                log("thrown", group, current_task().cancelling())
      `,
      *main() {
        function* fails(): Generator<unknown, void, unknown> {
          throw new Boom('eager');
        }
        function* slow() {
          try {
            yield* sleep(1000);
          } finally {
            log('cancelled');
          }
        }
        try {
          yield* taskGroup(function* (tg) {
            tg.createTask(slow(), { eagerStart: true });
            tg.createTask(fails(), { eagerStart: true });
            log('body goes on');
            yield* sleep(0);
            log('body after a turn');
          });
        } catch (group) {
          log('thrown', group, currentTask()!.cancelling());
        }
      },
      deviation: {
        reason: 'the group hears of a child that is done already in a later turn',
        since: '3.13.2',
        trace: ['0ms/1 body goes on', '0ms/3 cancelled', '0ms/5 thrown ExceptionGroup[Boom(eager)] 0'],
      },
    },
    {
      name: 'a gather of eager tasks in gathers',
      covers: 'BaseTaskCountingTests: recursive_gather',
      python: `${EAGER}
        async def node(depth):
            if depth == 0:
                return 1
            return sum(await gather(eager(node(depth - 1)), eager(node(depth - 1))))
        async def main():
            log(await eager(node(3)))
      `,
      *main() {
        function* node(depth: number): Generator<unknown, number, unknown> {
          if (depth === 0) return 1;
          const parts = yield* gather([eager(node(depth - 1)), eager(node(depth - 1))]);
          return parts[0] + parts[1];
        }
        log(yield* eager(node(3)));
      },
    },
    {
      name: 'an eager task has a context of its own from its first step on',
      covers: 'EagerTaskFactoryLoopTests: context_vars',
      python: `${EAGER}
        async def main():
            variable = contextvars.ContextVar("variable", default="none")
            variable.set("main")
            async def child():
                log("child", variable.get())
                variable.set("child")
                await sleep(0)
                log("child", variable.get())
            task = eager(child())
            log("main", variable.get())
            await task
            log("main", variable.get())
      `,
      *main() {
        const variable = new AsyncLocalStorage<string>();
        variable.enterWith('main');
        const task = eager(function* () {
          log('child', variable.getStore());
          variable.enterWith('child');
          yield* sleep(0);
          log('child', variable.getStore());
        });
        log('main', variable.getStore());
        yield* task;
        log('main', variable.getStore());
      },
    },
  ],
};
