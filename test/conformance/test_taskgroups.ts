// Task groups: who is cancelled by whose failure, and what the group throws in the end.
import {
  CancelledError,
  createTask,
  currentTask,
  sleep,
  taskGroup,
  type TaskGroup,
} from '../../src/index.js';
import { timeout } from './support/timeouts.js';
import { attempt, Boom, Fatal, future, log, loop, outcome, state, type Suite } from './support/program.js';

function* ends(name: string, delay: number, error?: Error): Generator<unknown, string, unknown> {
  try {
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
                await sleep(delay)
            except CancelledError:
                log(name, "cancelled")
                raise
            log(name, "ends")
            if error is not None:
                raise error
            return name
`;

export const taskGroups: Suite = {
  module: 'test_taskgroups',
  programs: [
    {
      name: 'a group waits for its children',
      covers: 'TestTaskGroup: taskgroup_01, taskgroup_02',
      python: `${ENDS}
        async def main():
            async with TaskGroup() as tg:
                a = tg.create_task(ends("a", 0.02))
                b = tg.create_task(ends("b", 0.01))
                log("body ends")
            log(state(a), state(b))
      `,
      *main() {
        const [a, b] = yield* taskGroup(function* (tg) {
          const children = [tg.createTask(ends('a', 20)), tg.createTask(ends('b', 10))] as const;
          log('body ends');
          return children;
        });
        log(state(a), state(b));
      },
    },
    {
      name: 'a group without children ends at once, in the same turn',
      python: `
        async def main():
            async with TaskGroup():
                log("body")
            log("behind")
      `,
      *main() {
        yield* taskGroup(function* () {
          log('body');
        });
        log('behind');
      },
    },
    {
      name: 'a child cancelled by somebody else neither fails the group nor cancels anybody',
      covers: 'TestTaskGroup: taskgroup_03, taskgroup_04',
      python: `${ENDS}
        async def main():
            async with TaskGroup() as tg:
                a = tg.create_task(ends("a", 1))
                b = tg.create_task(ends("b", 0.02))
                await sleep(0.01)
                a.cancel()
            log(state(a), state(b))
      `,
      *main() {
        const all = yield* taskGroup(function* (tg) {
          const a = tg.createTask(ends('a', 1000));
          const b = tg.createTask(ends('b', 20));
          yield* sleep(10);
          a.cancel();
          return [a, b];
        });
        log(...all.map(state));
      },
    },
    {
      name: 'a child that throws CancelledError by itself is no failure',
      python: `${ENDS}
        async def gives_up():
            raise CancelledError("own")
        async def main():
            async with TaskGroup() as tg:
                a = tg.create_task(gives_up())
                tg.create_task(ends("b", 0.01))
            log(state(a))
      `,
      *main() {
        const a = yield* taskGroup(function* (tg) {
          const child = tg.createTask(function* (): Generator<unknown, void, unknown> {
            throw new CancelledError('own');
          });
          tg.createTask(ends('b', 10));
          return child;
        });
        log(state(a));
      },
    },
    {
      name: 'the first child that fails cancels the others, and the group throws its error in a group',
      covers: 'TestTaskGroup: cancel_children_on_child_error, taskgroup_02',
      python: `${ENDS}
        async def main():
            try:
                async with TaskGroup() as tg:
                    tg.create_task(ends("a", 0.01, Boom("a")))
                    tg.create_task(ends("b", 1))
            except ExceptionGroup as group:
                log("thrown", group)
            log(current_task().cancelling())
      `,
      *main() {
        try {
          yield* taskGroup(function* (tg) {
            tg.createTask(ends('a', 10, new Boom('a')));
            tg.createTask(ends('b', 1000));
          });
        } catch (group) {
          log('thrown', group);
        }
        log(currentTask()!.cancelling());
      },
    },
    {
      name: 'a child that fails interrupts the body where it waits',
      covers: 'TestTaskGroup: taskgroup_07, taskgroup_08',
      python: `${ENDS}
        async def main():
            try:
                async with TaskGroup() as tg:
                    tg.create_task(ends("a", 0.01, Boom("a")))
                    tg.create_task(ends("b", 1))
                    try:
                        await sleep(2)
                    except CancelledError as error:
                        log("body", error, current_task().cancelling())
                        raise
            except ExceptionGroup as group:
                log("thrown", group, current_task().cancelling())
            await sleep(0.01)
            log("goes on")
      `,
      *main() {
        try {
          yield* taskGroup(function* (tg) {
            tg.createTask(ends('a', 10, new Boom('a')));
            tg.createTask(ends('b', 1000));
            try {
              yield* sleep(2000);
            } catch (error) {
              log('body', error, currentTask()!.cancelling());
              throw error;
            }
          });
        } catch (group) {
          log('thrown', group, currentTask()!.cancelling());
        }
        yield* sleep(10);
        log('goes on');
      },
    },
    {
      name: 'an error of the body cancels the children and comes last in the group',
      covers: 'TestTaskGroup: taskgroup_09, taskgroup_10, taskgroup_11',
      python: `${ENDS}
        async def main():
            async def cleans_up():
                try:
                    await sleep(1)
                finally:
                    raise Boom("clean-up")
            try:
                async with TaskGroup() as tg:
                    tg.create_task(cleans_up())
                    await sleep(0.01)
                    raise Boom("body")
            except ExceptionGroup as group:
                log("thrown", group)
      `,
      *main() {
        function* cleansUp() {
          try {
            yield* sleep(1000);
          } catch {
            throw new Boom('clean-up');
          }
        }
        try {
          yield* taskGroup(function* (tg) {
            tg.createTask(cleansUp());
            yield* sleep(10);
            throw new Boom('body');
          });
        } catch (group) {
          log('thrown', group);
        }
      },
    },
    {
      name: 'an error of the body alone is thrown in a group as well',
      covers: 'TestTaskGroup: taskgroup_24',
      python: `
        async def main():
            try:
                async with TaskGroup() as tg:
                    raise Boom("body")
            except ExceptionGroup as group:
                log("thrown", group)
      `,
      *main() {
        log(
          'thrown',
          yield* outcome(
            taskGroup(function* (): Generator<unknown, void, unknown> {
              throw new Boom('body');
            }),
          ),
        );
      },
    },
    {
      name: 'errors are in the order in which the children failed',
      covers: 'TestTaskGroup: taskgroup_13, taskgroup_14',
      python: `
        async def main():
            async def fails(name, cleanup):
                try:
                    await sleep(1)
                except CancelledError:
                    await sleep(cleanup)
                    raise Boom(name)
            async def first():
                await sleep(0.01)
                raise Boom("first")
            try:
                async with TaskGroup() as tg:
                    tg.create_task(fails("slow", 0.02))
                    tg.create_task(fails("quick", 0.01))
                    tg.create_task(first())
            except ExceptionGroup as group:
                log("thrown", group)
      `,
      *main() {
        function* fails(name: string, cleanup: number) {
          try {
            yield* sleep(1000);
          } catch {
            yield* sleep(cleanup);
            throw new Boom(name);
          }
        }
        function* first(): Generator<unknown, void, unknown> {
          yield* sleep(10);
          throw new Boom('first');
        }
        try {
          yield* taskGroup(function* (tg) {
            tg.createTask(fails('slow', 20));
            tg.createTask(fails('quick', 10));
            tg.createTask(first());
          });
        } catch (group) {
          log('thrown', group);
        }
      },
    },
    {
      name: 'a group that is cancelled from outside cancels its children and throws the cancellation',
      covers: 'TestTaskGroup: cancellation, taskgroup_12',
      python: `${ENDS}
        async def runs():
            async with TaskGroup() as tg:
                tg.create_task(ends("child", 1))
        async def main():
            task = create_task(runs())
            await sleep(0.01)
            task.cancel("outside")
            log(await outcome(task), state(task), task.cancelling())
      `,
      *main() {
        const task = createTask(function* () {
          yield* taskGroup(function* (tg) {
            tg.createTask(ends('child', 1000));
          });
        });
        yield* sleep(10);
        task.cancel('outside');
        log(yield* outcome(task), state(task), task.cancelling());
      },
    },
    {
      name: 'a cancellation from outside that hits the body cancels the children',
      covers: 'TestTaskGroup: taskgroup_15, taskgroup_16',
      python: `${ENDS}
        async def runs():
            async with TaskGroup() as tg:
                tg.create_task(ends("child", 1))
                try:
                    await sleep(2)
                finally:
                    log("body interrupted")
        async def main():
            task = create_task(runs())
            await sleep(0.01)
            task.cancel()
            log(await outcome(task), state(task))
      `,
      *main() {
        const task = createTask(function* () {
          yield* taskGroup(function* (tg) {
            tg.createTask(ends('child', 1000));
            try {
              yield* sleep(2000);
            } finally {
              log('body interrupted');
            }
          });
        });
        yield* sleep(10);
        task.cancel();
        log(yield* outcome(task), state(task));
      },
    },
    {
      name: 'children that fail while a group is cancelled from outside: their errors are thrown, the request remains',
      covers: 'TestTaskGroup: error_and_cancel, cancelling_level_preserved, taskgroup_17',
      python: `
        async def child():
            try:
                await sleep(1)
            except CancelledError:
                raise Boom("clean-up")
        async def runs():
            try:
                async with TaskGroup() as tg:
                    tg.create_task(child())
            except ExceptionGroup as group:
                log("thrown", group, current_task().cancelling())
            try:
                await sleep(0)
                log("waited")
            except CancelledError as error:
                log("next wait", error)
        async def main():
            task = create_task(runs())
            await sleep(0.01)
            task.cancel("outside")
            log(await outcome(task), state(task), task.cancelling())
      `,
      *main() {
        function* child() {
          try {
            yield* sleep(1000);
          } catch {
            throw new Boom('clean-up');
          }
        }
        const task = createTask(function* () {
          try {
            yield* taskGroup(function* (tg) {
              tg.createTask(child());
            });
          } catch (group) {
            log('thrown', group, currentTask()!.cancelling());
          }
          try {
            yield* sleep(0);
            log('waited');
          } catch (error) {
            log('next wait', error);
          }
        });
        yield* sleep(10);
        task.cancel('outside');
        log(yield* outcome(task), state(task), task.cancelling());
      },
      deviation: {
        reason: 'the cancellation that a group hands on keeps its reason',
        trace: [
          '10ms/6 thrown ExceptionGroup[Boom(clean-up)] 1',
          '10ms/7 next wait CancelledError(outside)',
          '10ms/8 none result none 1',
        ],
      },
    },
    {
      name: 'a cancellation from outside in the turn in which a child fails',
      covers: 'TestTaskGroup: error_and_cancel',
      python: `
        async def fails():
            await sleep(0.01)
            raise Boom("child")
        async def runs():
            try:
                async with TaskGroup() as tg:
                    tg.create_task(fails())
            except ExceptionGroup as group:
                log("thrown", group, current_task().cancelling())
            await sleep(0)
            log("goes on")
        async def main():
            task = create_task(runs())
            await sleep(0.005)
            loop().call_later(0.005, task.cancel)
            log(await outcome(task), state(task), task.cancelling())
      `,
      *main() {
        function* fails(): Generator<unknown, void, unknown> {
          yield* sleep(10);
          throw new Boom('child');
        }
        const task = createTask(function* () {
          try {
            yield* taskGroup(function* (tg) {
              tg.createTask(fails());
            });
          } catch (group) {
            log('thrown', group, currentTask()!.cancelling());
          }
          yield* sleep(0);
          log('goes on');
        });
        yield* sleep(5);
        loop().callLater(5, () => task.cancel());
        log(yield* outcome(task), state(task), task.cancelling());
      },
    },
    {
      name: 'a cancellation that was requested before the group begins interrupts its body',
      covers: 'TestTaskGroup: taskgroup_18, cancelling_level_preserved',
      python: `${ENDS}
        async def runs():
            current_task().cancel()
            async with TaskGroup() as tg:
                tg.create_task(ends("child", 0.01))
                log("body")
                await sleep(0)
                log("not reached")
        async def main():
            task = create_task(runs())
            log(await outcome(task), state(task))
      `,
      *main() {
        const task = createTask(function* () {
          currentTask()!.cancel();
          yield* taskGroup(function* (tg) {
            tg.createTask(ends('child', 10));
            log('body');
            yield* sleep(0);
            log('not reached');
          });
        });
        log(yield* outcome(task), state(task));
      },
    },
    {
      name: 'a body that catches its interruption still gets the group of errors',
      covers: 'TestTaskGroup: taskgroup_19',
      python: `${ENDS}
        async def main():
            try:
                async with TaskGroup() as tg:
                    tg.create_task(ends("a", 0.01, Boom("a")))
                    try:
                        await sleep(1)
                    except CancelledError:
                        log("caught", current_task().cancelling())
                    await sleep(0.01)
                    log("body ends")
            except ExceptionGroup as group:
                log("thrown", group, current_task().cancelling())
      `,
      *main() {
        try {
          yield* taskGroup(function* (tg) {
            tg.createTask(ends('a', 10, new Boom('a')));
            try {
              yield* sleep(1000);
            } catch {
              log('caught', currentTask()!.cancelling());
            }
            yield* sleep(10);
            log('body ends');
          });
        } catch (group) {
          log('thrown', group, currentTask()!.cancelling());
        }
      },
    },
    {
      name: 'nested groups: a failure inside ends the outer one with a group in a group',
      covers: 'TestTaskGroup: taskgroup_20, taskgroup_21a',
      python: `${ENDS}
        async def main():
            try:
                async with TaskGroup() as outer:
                    outer.create_task(ends("outer", 1))
                    async with TaskGroup() as inner:
                        inner.create_task(ends("inner", 0.01, Boom("inner")))
                        inner.create_task(ends("sibling", 1))
            except ExceptionGroup as group:
                log("thrown", group, current_task().cancelling())
      `,
      *main() {
        try {
          yield* taskGroup(function* (outer) {
            outer.createTask(ends('outer', 1000));
            yield* taskGroup(function* (inner) {
              inner.createTask(ends('inner', 10, new Boom('inner')));
              inner.createTask(ends('sibling', 1000));
            });
          });
        } catch (group) {
          log('thrown', group, currentTask()!.cancelling());
        }
      },
    },
    {
      name: 'nested groups: a failure outside cancels the inner group with its children',
      covers: 'TestTaskGroup: taskgroup_20a, taskgroup_22',
      python: `${ENDS}
        async def main():
            try:
                async with TaskGroup() as outer:
                    outer.create_task(ends("outer", 0.01, Boom("outer")))
                    async with TaskGroup() as inner:
                        inner.create_task(ends("inner", 1))
            except ExceptionGroup as group:
                log("thrown", group, current_task().cancelling())
      `,
      *main() {
        try {
          yield* taskGroup(function* (outer) {
            outer.createTask(ends('outer', 10, new Boom('outer')));
            yield* taskGroup(function* (inner) {
              inner.createTask(ends('inner', 1000));
            });
          });
        } catch (group) {
          log('thrown', group, currentTask()!.cancelling());
        }
      },
    },
    {
      name: 'nested groups that fail in the same turn',
      covers: 'TestTaskGroup: nested_groups_both_cancelled',
      python: `${ENDS}
        async def main():
            try:
                async with TaskGroup() as outer:
                    outer.create_task(ends("outer", 0.01, Boom("outer")))
                    try:
                        async with TaskGroup() as inner:
                            inner.create_task(ends("inner", 0.01, Boom("inner")))
                    except ExceptionGroup as group:
                        log("inner", group, current_task().cancelling())
                        raise
            except ExceptionGroup as group:
                log("outer", group, current_task().cancelling())
            await sleep(0)
            log("goes on")
      `,
      *main() {
        try {
          yield* taskGroup(function* (outer) {
            outer.createTask(ends('outer', 10, new Boom('outer')));
            try {
              yield* taskGroup(function* (inner) {
                inner.createTask(ends('inner', 10, new Boom('inner')));
              });
            } catch (group) {
              log('inner', group, currentTask()!.cancelling());
              throw group;
            }
          });
        } catch (group) {
          log('outer', group, currentTask()!.cancelling());
        }
        yield* sleep(0);
        log('goes on');
      },
    },
    {
      name: 'children may make children, while the group is already waiting',
      covers: 'TestTaskGroup: taskgroup_23',
      python: `${ENDS}
        async def parent(tg, depth):
            await sleep(0.01)
            log("depth", depth)
            if depth > 0:
                tg.create_task(parent(tg, depth - 1))
        async def main():
            async with TaskGroup() as tg:
                tg.create_task(parent(tg, 2))
            log("end")
      `,
      *main() {
        function* parent(tg: TaskGroup, depth: number): Generator<unknown, void, unknown> {
          yield* sleep(10);
          log('depth', depth);
          if (depth > 0) tg.createTask(parent(tg, depth - 1));
        }
        yield* taskGroup(function* (tg) {
          tg.createTask(parent(tg, 2));
        });
        log('end');
      },
    },
    {
      name: 'a group that is ending because of an error takes no more children',
      covers: 'TestTaskGroup: taskgroup_no_create_task_after_failure, coro_closed_when_tg_closed',
      python: `${ENDS}
        async def main():
            try:
                async with TaskGroup() as tg:
                    tg.create_task(ends("a", 0, Boom("a")))
                    try:
                        await sleep(1)
                    except CancelledError:
                        late = ends("late", 0)
                        log(attempt(tg.create_task, late))
                        late.close()
                        raise
            except ExceptionGroup as group:
                log("thrown", group)
      `,
      *main() {
        try {
          yield* taskGroup(function* (tg) {
            tg.createTask(ends('a', 0, new Boom('a')));
            try {
              yield* sleep(1000);
            } catch (error) {
              log(attempt(() => tg.createTask(ends('late', 0))));
              throw error;
            }
          });
        } catch (group) {
          log('thrown', group);
        }
      },
    },
    {
      name: 'a group that is over takes no more children',
      covers: 'TestTaskGroup: taskgroup_finished',
      python: `${ENDS}
        async def main():
            async with TaskGroup() as tg:
                tg.create_task(ends("a", 0))
            late = ends("late", 0)
            log(attempt(tg.create_task, late))
            late.close()
      `,
      *main() {
        const tg = yield* taskGroup(function* (group) {
          group.createTask(ends('a', 0));
          return group;
        });
        log(attempt(() => tg.createTask(ends('late', 0))));
      },
    },
    {
      name: 'a child has the name it was given',
      covers: 'TestTaskGroup: taskgroup_task_name',
      python: `
        async def child():
            log(current_task().get_name())
        async def main():
            async with TaskGroup() as tg:
                tg.create_task(child(), name="given")
      `,
      *main() {
        yield* taskGroup(function* (tg) {
          tg.createTask(
            function* () {
              log(currentTask()!.name);
            },
            { name: 'given' },
          );
        });
      },
    },
    {
      name: 'what leaves the body early waits for the children first',
      covers: 'TestTaskGroup: taskgroup_context_manager_exit_raises',
      python: `${ENDS}
        async def runs():
            async with TaskGroup() as tg:
                tg.create_task(ends("child", 0.01))
                return "early"
        async def main():
            log(await runs())
      `,
      *main() {
        log(
          yield* taskGroup(function* (tg) {
            tg.createTask(ends('child', 10));
            return 'early';
          }),
        );
      },
    },
    {
      name: 'a group inside a timeout: the timeout cancels the children, and no group is thrown',
      covers: 'TestTaskGroup: taskgroup_25',
      python: `${ENDS}
        async def main():
            try:
                async with timeout(0.01):
                    async with TaskGroup() as tg:
                        tg.create_task(ends("child", 1))
            except TimeoutError as error:
                log("thrown", error, current_task().cancelling())
      `,
      *main() {
        try {
          yield* timeout(10, function* () {
            yield* taskGroup(function* (tg) {
              tg.createTask(ends('child', 1000));
            });
          });
        } catch (error) {
          log('thrown', error, currentTask()!.cancelling());
        }
      },
    },
    {
      name: 'a child that is done before the body waits',
      covers: 'TestTaskGroup: taskgroup_13',
      python: `
        async def child(f):
            return await f
        async def main():
            f = future()
            f.set_result("there")
            async with TaskGroup() as tg:
                task = tg.create_task(child(f))
                await sleep(0)
                log(state(task))
                await sleep(0)
            log("end")
      `,
      *main() {
        const f = future();
        f.setResult('there');
        yield* taskGroup(function* (tg) {
          const task = tg.createTask(function* () {
            return yield* f;
          });
          yield* sleep(0);
          log(state(task));
          yield* sleep(0);
        });
        log('end');
      },
    },
    {
      name: 'children are cancelled in the order in which they were made',
      covers: 'TestTaskGroup: cancel_children_on_child_error',
      python: `
        async def child(name):
            try:
                await sleep(1)
            finally:
                order.append(name)
        async def main():
            global order
            order = []
            try:
                async with TaskGroup() as tg:
                    for name in "abcd":
                        tg.create_task(child(name))
                    await sleep(0.01)
                    raise Boom("body")
            except ExceptionGroup as group:
                log("thrown", group, sorted(order))
      `,
      *main() {
        const order: string[] = [];
        function* child(name: string) {
          try {
            yield* sleep(1000);
          } finally {
            order.push(name);
          }
        }
        try {
          yield* taskGroup(function* (tg) {
            for (const name of 'abcd') tg.createTask(child(name));
            yield* sleep(10);
            throw new Boom('body');
          });
        } catch (group) {
          log('thrown', group, order);
        }
      },
    },
    {
      name: 'a fatal error of a child is thrown by the group bare, after the others have ended',
      covers: 'TestTaskGroup: taskgroup_context_manager_exit_raises',
      python: `${ENDS}
        async def fails():
            await sleep(0.01)
            raise Fatal("end")
        async def main():
            try:
                async with TaskGroup() as tg:
                    tg.create_task(fails())
                    tg.create_task(ends("other", 1))
            except BaseException as error:
                log("thrown", error)
      `,
      *main() {
        function* fails(): Generator<unknown, void, unknown> {
          yield* sleep(10);
          throw new Fatal('end');
        }
        try {
          yield* taskGroup(function* (tg) {
            tg.createTask(fails());
            tg.createTask(ends('other', 1000));
          });
        } catch (error) {
          log('thrown', error);
        }
      },
    },
  ],
};
