// The part of test_tasks that is about several tasks at once: gather, wait, asCompleted, shield.
import {
  asCompleted,
  createTask,
  currentTask,
  gather,
  shield,
  sleep,
  wait,
  type Future,
} from '../../src/index.js';
import { attempt, Boom, future, log, loop, outcome, state, type Program } from './support/program.js';

function* ends(name: unknown, delay: number, error?: Error): Generator<unknown, unknown, unknown> {
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

function* settleAll(...all: Future<any>[]): Generator<unknown, void, unknown> {
  for (const one of all) yield* outcome(one);
}

/** The names of tasks, in order. */
function names(all: Iterable<unknown>): string[] {
  return [...all].map((one) => (one as { name: string }).name).sort();
}

const NAMES = `
        def names(all):
            return sorted(one.get_name() for one in all)
`;

export const several: readonly Program[] = [
  {
    name: 'gather gives the results in the order of its arguments',
    covers:
      'GatherTestsBase: success; FutureGatherTests: constructor_homogenous_futures; CoroutineGatherTests: constructor_use_running_loop',
    python: `${ENDS}
        async def main():
            log(await gather(ends("a", 0.03), ends("b", 0.01), ends("c", 0.02)))
      `,
    *main() {
      log(yield* gather([ends('a', 30), ends('b', 10), ends('c', 20)]));
    },
  },
  {
    name: 'a gather of nothing gives nothing',
    covers: 'FutureGatherTests: constructor_empty_sequence_use_running_loop',
    python: `
        async def main():
            nothing = gather()
            await sleep(0)
            log(state(nothing))
            log(await gather())
      `,
    *main() {
      const nothing = gather([]);
      yield* sleep(0);
      log(state(nothing));
      log(yield* gather([]));
    },
  },
  {
    name: 'the first error of a gather is thrown at once, and the others go on',
    covers: 'GatherTestsBase: one_exception; CoroutineGatherTests: exception_marking',
    python: `${ENDS}
        async def main():
            log(await outcome(gather(ends("a", 0.01), ends("b", 0.02, Boom("b")), ends("c", 0.03, Boom("c")))))
            await sleep(0.05)
      `,
    *main() {
      log(
        yield* outcome(gather([ends('a', 10), ends('b', 20, new Boom('b')), ends('c', 30, new Boom('c'))])),
      );
      yield* sleep(50);
    },
  },
  {
    name: 'a gather that returns exceptions gives them in their places',
    covers:
      'GatherTestsBase: return_exceptions, result_exception_success; FutureGatherTests: result_exception_one_cancellation',
    python: `${ENDS}
        async def main():
            cancelled = future()
            loop().call_later(0.015, cancelled.cancel)
            log(await gather(
                ends("a", 0.03), ends("b", 0.02, Boom("b")), cancelled, return_exceptions=True))
      `,
    *main() {
      const cancelled = future();
      loop().callLater(15, () => cancelled.cancel());
      log(
        yield* gather([ends('a', 30), ends('b', 20, new Boom('b')), cancelled], { returnExceptions: true }),
      );
    },
  },
  {
    name: 'a gather of futures follows each of them, and takes a turn to tell',
    covers: 'FutureGatherTests: constructor_heterogenous_futures',
    python: `
        async def main():
            a, b = future(), future()
            all = gather(a, b)
            all.add_done_callback(lambda one: log("callback", one))
            b.set_result("b")
            await sleep(0)
            log(state(all))
            a.set_result("a")
            log(state(all))
            await sleep(0)
            log(state(all))
            await sleep(0)
      `,
    *main() {
      const [a, b] = [future(), future()];
      const all = gather([a, b]);
      all.addDoneCallback((one) => log('callback', one));
      b.setResult('b');
      yield* sleep(0);
      log(state(all));
      a.setResult('a');
      log(state(all));
      yield* sleep(0);
      log(state(all));
      yield* sleep(0);
    },
  },
  {
    name: 'an argument that is given twice runs once and is in the result twice',
    covers: 'CoroutineGatherTests: duplicate_coroutines',
    python: `${ENDS}
        async def main():
            one = create_task(ends("one", 0.01))
            log(await gather(one, one, ends("two", 0.02), one))
            coroutine = ends("three", 0)
            log(await gather(coroutine, coroutine))
      `,
    *main() {
      const one = createTask(ends('one', 10));
      log(yield* gather([one, one, ends('two', 20), one]));
      const coroutine = ends('three', 0);
      log(yield* gather([coroutine, coroutine]));
    },
  },
  {
    name: 'cancelling a gather cancels every child that is not done',
    covers: 'CoroutineGatherTests: cancellation_broadcast; BaseTaskTests: cancel_gather_1',
    python: `${ENDS}
        async def main():
            all = gather(ends("a", 0.01), ends("b", 0.03), ends("c", 0.03))
            await sleep(0.02)
            log(all.cancel(), state(all))
            log(await outcome(all), state(all))
            log(all.cancel())
      `,
    *main() {
      const all = gather([ends('a', 10), ends('b', 30), ends('c', 30)]);
      yield* sleep(20);
      log(all.cancel(), state(all));
      log(yield* outcome(all), state(all));
      log(all.cancel());
    },
  },
  {
    name: 'cancelling a task that waits for a gather cancels the children, then the task',
    covers: 'BaseTaskTests: cancel_gather_2',
    python: `${ENDS}
        async def gathers():
            try:
                await gather(ends("a", 1), ends("b", 1))
            except CancelledError as error:
                log("task", error, current_task().cancelling())
                raise
        async def main():
            task = create_task(gathers())
            await sleep(0.01)
            task.cancel("why")
            log(await outcome(task), state(task))
      `,
    *main() {
      const task = createTask(function* () {
        try {
          yield* gather([ends('a', 1000), ends('b', 1000)]);
        } catch (error) {
          log('task', error, currentTask()!.cancelling());
          throw error;
        }
      });
      yield* sleep(10);
      task.cancel('why');
      log(yield* outcome(task), state(task));
    },
  },
  {
    name: 'a child that is cancelled by somebody else makes the gather fail, and cancels nobody',
    covers: 'FutureGatherTests: one_cancellation',
    python: `${ENDS}
        async def main():
            child = create_task(ends("child", 1))
            other = create_task(ends("other", 0.02))
            all = gather(child, other)
            await sleep(0.01)
            child.cancel()
            log(await outcome(all), all.cancelled(), all.done(), current_task().cancelling())
            log(await other)
      `,
    *main() {
      const child = createTask(ends('child', 1000));
      const other = createTask(ends('other', 20));
      const all = gather([child, other]);
      yield* sleep(10);
      child.cancel();
      log(yield* outcome(all), all.cancelled(), all.done(), currentTask()!.cancelling());
      log(yield* other);
    },
  },
  {
    name: 'a gather that returns exceptions and is cancelled waits for all children first',
    covers: 'CoroutineGatherTests: issue46672',
    python: `
        async def slow(name):
            try:
                await sleep(1)
            finally:
                await sleep(0.01)
                log(name, "cleaned up")
        async def main():
            all = gather(slow("a"), slow("b"), return_exceptions=True)
            await sleep(0.01)
            all.cancel()
            log(await outcome(all), all.cancelled())
      `,
    *main() {
      function* slow(name: string) {
        try {
          yield* sleep(1000);
        } finally {
          yield* sleep(10);
          log(name, 'cleaned up');
        }
      }
      const all = gather([slow('a'), slow('b')], { returnExceptions: true });
      yield* sleep(10);
      all.cancel();
      log(yield* outcome(all), all.cancelled());
    },
  },
  {
    name: 'a gather that has failed cannot be cancelled, and its children go on',
    python: `${ENDS}
        async def main():
            all = gather(ends("a", 0.01, Boom("a")), ends("b", 0.03))
            log(await outcome(all))
            log(all.cancel())
            await sleep(0.05)
      `,
    *main() {
      const all = gather([ends('a', 10, new Boom('a')), ends('b', 30)]);
      log(yield* outcome(all));
      log(all.cancel());
      yield* sleep(50);
    },
  },
  {
    name: 'a gather inside a gather is cancelled with it',
    covers: 'BaseTaskTests: cancel_gather_2',
    python: `${ENDS}
        async def main():
            all = gather(gather(ends("a", 1), ends("b", 1)), ends("c", 1))
            await sleep(0.01)
            all.cancel()
            log(await outcome(all), state(all))
      `,
    *main() {
      const all = gather([gather([ends('a', 1000), ends('b', 1000)]), ends('c', 1000)]);
      yield* sleep(10);
      all.cancel();
      log(yield* outcome(all), state(all));
    },
  },
  {
    name: 'two children that fail in the same turn: the first of them counts',
    covers: 'GatherTestsBase: one_exception',
    python: `
        async def fails(name):
            await sleep(0)
            raise Boom(name)
        async def main():
            log(await outcome(gather(fails("a"), fails("b"))))
            a, b = future(), future()
            all = gather(a, b)
            b.set_exception(Boom("b"))
            a.set_exception(Boom("a"))
            log(await outcome(all))
      `,
    *main() {
      function* fails(name: string): Generator<unknown, void, unknown> {
        yield* sleep(0);
        throw new Boom(name);
      }
      log(yield* outcome(gather([fails('a'), fails('b')])));
      const [a, b] = [future(), future()];
      const all = gather([a, b]);
      b.setException(new Boom('b'));
      a.setException(new Boom('a'));
      log(yield* outcome(all));
    },
  },

  // wait

  {
    name: 'wait ends when all are done',
    covers: 'BaseTaskTests: wait, wait_really_done, wait_with_iterator_of_tasks, wait_generator',
    python: `${ENDS}${NAMES}
        async def main():
            a, b = create_task(ends("a", 0.01), name="a"), create_task(ends("b", 0.02), name="b")
            done, pending = await wait(one for one in (a, b))
            log(names(done), names(pending))
            done, pending = await wait([a, b])
            log(names(done), names(pending))
      `,
    *main() {
      const a = createTask(ends('a', 10), { name: 'a' });
      const b = createTask(ends('b', 20), { name: 'b' });
      let { done, pending } = yield* wait(new Set([a, b]));
      log(names(done), names(pending));
      ({ done, pending } = yield* wait([a, b]));
      log(names(done), names(pending));
    },
  },
  {
    name: 'wait for the first leaves the others alone',
    covers: 'BaseTaskTests: wait_first_completed',
    python: `${ENDS}${NAMES}
        async def main():
            a, b = create_task(ends("a", 0.02), name="a"), create_task(ends("b", 0.01), name="b")
            done, pending = await wait([a, b], return_when=asyncio.FIRST_COMPLETED)
            log(names(done), names(pending))
            log(await a)
      `,
    *main() {
      const a = createTask(ends('a', 20), { name: 'a' });
      const b = createTask(ends('b', 10), { name: 'b' });
      const { done, pending } = yield* wait([a, b], { returnWhen: 'FIRST_COMPLETED' });
      log(names(done), names(pending));
      log(yield* a);
    },
  },
  {
    name: 'wait for the first exception ends with it, and not with a cancellation',
    covers: 'BaseTaskTests: wait_first_exception, wait_with_exception',
    python: `${ENDS}${NAMES}
        async def main():
            a = create_task(ends("a", 1), name="a")
            b = create_task(ends("b", 0.03, Boom("b")), name="b")
            c = create_task(ends("c", 1), name="c")
            loop().call_later(0.01, a.cancel)
            done, pending = await wait([a, b, c], return_when=asyncio.FIRST_EXCEPTION)
            log(names(done), names(pending), state(a), state(b))
            c.cancel()
            await outcome(c)
      `,
    *main() {
      const a = createTask(ends('a', 1000), { name: 'a' });
      const b = createTask(ends('b', 30, new Boom('b')), { name: 'b' });
      const c = createTask(ends('c', 1000), { name: 'c' });
      loop().callLater(10, () => a.cancel());
      const { done, pending } = yield* wait([a, b, c], { returnWhen: 'FIRST_EXCEPTION' });
      log(names(done), names(pending), state(a), state(b));
      c.cancel();
      yield* outcome(c);
    },
  },
  {
    name: 'wait for the first exception that is there already takes no turn',
    covers: 'BaseTaskTests: wait_first_exception_in_wait',
    python: `${ENDS}${NAMES}
        async def main():
            a = create_task(ends("a", 0, Boom("a")), name="a")
            b = create_task(ends("b", 0.01), name="b")
            await outcome(a)
            done, pending = await wait([a, b], return_when=asyncio.FIRST_EXCEPTION)
            log(names(done), names(pending))
            await b
      `,
    *main() {
      const a = createTask(ends('a', 0, new Boom('a')), { name: 'a' });
      const b = createTask(ends('b', 10), { name: 'b' });
      yield* outcome(a);
      const { done, pending } = yield* wait([a, b], { returnWhen: 'FIRST_EXCEPTION' });
      log(names(done), names(pending));
      yield* b;
    },
  },
  {
    name: 'wait that times out cancels nothing',
    covers: 'BaseTaskTests: wait_with_timeout',
    python: `${ENDS}${NAMES}
        async def main():
            a, b = create_task(ends("a", 0.01), name="a"), create_task(ends("b", 0.03), name="b")
            done, pending = await wait([a, b], timeout=0.02)
            log(names(done), names(pending))
            log(await b)
            done, pending = await wait([a, b], timeout=0)
            log(names(done), names(pending))
      `,
    *main() {
      const a = createTask(ends('a', 10), { name: 'a' });
      const b = createTask(ends('b', 30), { name: 'b' });
      let { done, pending } = yield* wait([a, b], { timeout: 20 });
      log(names(done), names(pending));
      log(yield* b);
      ({ done, pending } = yield* wait([a, b], { timeout: 0 }));
      log(names(done), names(pending));
    },
  },
  {
    name: 'tasks that end in the same turn are done together',
    covers: 'BaseTaskTests: wait_concurrent_complete',
    python: `${NAMES}
        async def main():
            a, b = create_task(sleep(0.01), name="a"), create_task(sleep(0.01), name="b")
            done, pending = await wait([a, b], return_when=asyncio.FIRST_COMPLETED)
            log(names(done), names(pending))
      `,
    *main() {
      const a = createTask(() => sleep(10), { name: 'a' });
      const b = createTask(() => sleep(10), { name: 'b' });
      const { done, pending } = yield* wait([a, b], { returnWhen: 'FIRST_COMPLETED' });
      log(names(done), names(pending));
    },
  },
  {
    name: 'cancelling wait leaves the tasks alone',
    covers: 'BaseTaskTests: yield_wait_does_not_shield_cancel',
    python: `${ENDS}
        async def main():
            a = create_task(ends("a", 0.03))
            async def waits():
                await wait([a])
            waiter = create_task(waits())
            await sleep(0.01)
            waiter.cancel()
            log(await outcome(waiter), state(a))
            log(await a)
      `,
    *main() {
      const a = createTask(ends('a', 30));
      const waiter = createTask(function* () {
        yield* wait([a]);
      });
      yield* sleep(10);
      waiter.cancel();
      log(yield* outcome(waiter), state(a));
      log(yield* a);
    },
  },
  {
    name: 'wait takes neither coroutines nor nothing nor an unknown condition',
    covers: 'BaseTaskTests: wait_errors, wait_invalid_args',
    python: `
        async def coroutine():
            pass
        async def main():
            one = coroutine()
            log(await outcome(wait([])), await outcome(wait([one])), await outcome(wait(future())))
            log(await outcome(wait([future()], return_when=-1)))
            one.close()
      `,
    *main() {
      function* coroutine() {}
      log(
        attempt(() => wait([])),
        attempt(() => wait([coroutine() as any])),
        attempt(() => wait(future() as any)),
      );
      log(attempt(() => wait([future()], { returnWhen: -1 as any })));
    },
  },

  // asCompleted

  {
    name: 'asCompleted gives the results in the order in which they come',
    covers: 'BaseTaskTests: as_completed, as_completed_with_unused_timeout',
    python: `${ENDS}
        async def main():
            for next in as_completed([ends("a", 0.03), ends("b", 0.01), ends("c", 0.02)], timeout=1):
                log("got", await next)
      `,
    *main() {
      for (const next of asCompleted([ends('a', 30), ends('b', 10), ends('c', 20)], { timeout: 1000 })) {
        log('got', yield* next);
      }
    },
  },
  {
    name: 'asCompleted throws a TimeoutError for everything that is left, which goes on',
    covers: 'BaseTaskTests: as_completed_with_timeout',
    python: `${ENDS}
        async def main():
            tasks = [create_task(ends(name, delay)) for name, delay in (("a", 0.01), ("b", 0.03), ("c", 0.04))]
            for next in as_completed(tasks, timeout=0.02):
                log("got", await outcome(next))
            log(*map(state, tasks))
            await tasks[2]
      `,
    *main() {
      const tasks = [createTask(ends('a', 10)), createTask(ends('b', 30)), createTask(ends('c', 40))];
      for (const next of asCompleted(tasks, { timeout: 20 })) log('got', yield* outcome(next));
      log(...tasks.map(state));
      yield* tasks[2]!;
    },
  },
  {
    name: 'asCompleted takes what is given twice as one',
    covers: 'BaseTaskTests: as_completed_duplicate_coroutines',
    python: `${ENDS}
        async def main():
            one = create_task(ends("one", 0.01))
            for next in as_completed([one, ends("two", 0.02), one]):
                log("got", await next)
      `,
    *main() {
      const one = createTask(ends('one', 10));
      for (const next of asCompleted([one, ends('two', 20), one])) log('got', yield* next);
    },
  },
  {
    name: 'asCompleted throws the error of what failed, and goes on',
    covers: 'BaseTaskTests: as_completed_concurrent',
    python: `${ENDS}
        async def main():
            all = [ends("a", 0.01), ends("b", 0.01, Boom("b")), ends("c", 0.02)]
            for next in as_completed(list(map(create_task, all))):
                log("got", await outcome(next))
      `,
    *main() {
      const all = [ends('a', 10), ends('b', 10, new Boom('b')), ends('c', 20)];
      for (const next of asCompleted(all.map((one) => createTask(one)))) log('got', yield* outcome(next));
    },
  },
  {
    name: 'asCompleted takes nothing but lists of awaitables',
    covers: 'BaseTaskTests: as_completed_invalid_args',
    python: `
        async def main():
            log(attempt(as_completed, future()), attempt(as_completed, 42))
            for next in as_completed([]):
                log("never")
            log("end")
      `,
    *main() {
      log(
        attempt(() => asCompleted(future() as any)),
        attempt(() => asCompleted(42 as any)),
      );
      for (const _next of asCompleted([])) log('never');
      log('end');
    },
  },

  // shield

  {
    name: 'shield gives the result and the error of what is inside',
    covers: 'BaseTaskTests: shield_result, shield_exception, shield_coroutine_use_running_loop',
    python: `${ENDS}
        async def main():
            log(await shield(ends("a", 0.01)))
            log(await outcome(shield(ends("b", 0.01, Boom("b")))))
      `,
    *main() {
      log(yield* shield(ends('a', 10)));
      log(yield* outcome(shield(ends('b', 10, new Boom('b')))));
    },
  },
  {
    name: 'shield of a future that is done is that future',
    covers: 'BaseTaskTests: shield_shortcut',
    python: `
        async def main():
            f = future()
            f.set_result(7)
            log(shield(f) is f, await shield(f))
      `,
    *main() {
      const f = future();
      f.setResult(7);
      log(shield(f) === f, yield* shield(f));
    },
  },
  {
    name: 'cancelling who waits for a shield leaves what is inside alone',
    covers: 'BaseTaskTests: shield_effect, shield_cancel_outer',
    python: `${ENDS}
        async def main():
            inner = create_task(ends("inner", 0.03))
            async def waits():
                await shield(inner)
            waiter = create_task(waits())
            await sleep(0.01)
            waiter.cancel("outer")
            log(await outcome(waiter), state(waiter), state(inner))
            log(await inner)
      `,
    *main() {
      const inner = createTask(ends('inner', 30));
      const waiter = createTask(function* () {
        yield* shield(inner);
      });
      yield* sleep(10);
      waiter.cancel('outer');
      log(yield* outcome(waiter), state(waiter), state(inner));
      log(yield* inner);
    },
  },
  {
    name: 'cancelling what is inside a shield cancels the shield',
    covers: 'BaseTaskTests: shield_cancel_inner',
    python: `${ENDS}
        async def main():
            inner = create_task(ends("inner", 1))
            outer = shield(inner)
            await sleep(0.01)
            inner.cancel()
            log(state(outer))
            await sleep(0)
            log(state(inner), state(outer))
            await sleep(0)
            log(state(inner), state(outer))
      `,
    *main() {
      const inner = createTask(ends('inner', 1000));
      const outer = shield(inner);
      yield* sleep(10);
      inner.cancel();
      log(state(outer));
      yield* sleep(0);
      log(state(inner), state(outer));
      yield* sleep(0);
      log(state(inner), state(outer));
    },
  },
  {
    name: 'shield in a gather: cancelling the gather cancels the shields and nothing inside',
    covers: 'BaseTaskTests: shield_gather',
    python: `${ENDS}
        async def main():
            inner = [create_task(ends("a", 0.03)), create_task(ends("b", 0.03))]
            all = gather(*map(shield, inner))
            await sleep(0.01)
            log(all.cancel())
            log(await outcome(all), state(all), *map(state, inner))
            for task in inner:
                await task
      `,
    *main() {
      const inner = [createTask(ends('a', 30)), createTask(ends('b', 30))];
      const all = gather(inner.map((task) => shield(task)));
      yield* sleep(10);
      log(all.cancel());
      log(yield* outcome(all), state(all), ...inner.map(state));
      yield* settleAll(...inner);
    },
  },
  {
    name: 'gather in a shield goes on when the shield is cancelled',
    covers: 'BaseTaskTests: gather_shield',
    python: `${ENDS}
        async def main():
            all = gather(ends("a", 0.03), ends("b", 0.03))
            outer = shield(all)
            await sleep(0.01)
            log(outer.cancel(), state(outer), state(all))
            log(await all)
      `,
    *main() {
      const all = gather([ends('a', 30), ends('b', 30)]);
      const outer = shield(all);
      yield* sleep(10);
      log(outer.cancel(), state(outer), state(all));
      log(yield* all);
    },
  },
  {
    name: 'a shield that is cancelled from within its own task leaves the task to go on',
    python: `${ENDS}
        async def main():
            outer = shield(ends("inner", 0.02))
            loop().call_later(0.01, outer.cancel)
            log(await outcome(outer), current_task().cancelling())
            await sleep(0.03)
      `,
    *main() {
      const outer = shield(ends('inner', 20));
      loop().callLater(10, () => outer.cancel());
      log(yield* outcome(outer), currentTask()!.cancelling());
      yield* sleep(30);
    },
  },

  // What is left of asCompleted and wait

  {
    name: 'wait takes a task that is given twice as one',
    covers: 'BaseTaskTests: wait_duplicate_coroutines',
    python: `${ENDS}${NAMES}
        async def main():
            one = create_task(ends("one", 0.01), name="one")
            done, pending = await wait([one, one, one])
            log(names(done), names(pending))
      `,
    *main() {
      const one = createTask(ends('one', 10), { name: 'one' });
      const { done, pending } = yield* wait([one, one, one]);
      log(names(done), names(pending));
    },
  },
  {
    name: 'asCompleted may be left and gone on with',
    covers: 'BaseTaskTests: as_completed_resume_iterator',
    python: `${ENDS}
        async def main():
            tasks = [create_task(ends(name, delay)) for name, delay in (("a", 0.02), ("b", 0.01), ("c", 0.03))]
            iterator = iter(as_completed(tasks))
            log("got", await next(iterator))
            await sleep(0.05)
            log("got", await next(iterator))
            log("got", await next(iterator))
      `,
    *main() {
      const tasks = [createTask(ends('a', 20)), createTask(ends('b', 10)), createTask(ends('c', 30))];
      const iterator = asCompleted(tasks)[Symbol.iterator]();
      log('got', yield* iterator.next().value!);
      yield* sleep(50);
      log('got', yield* iterator.next().value!);
      log('got', yield* iterator.next().value!);
    },
  },
  {
    name: 'asCompleted gives the tasks themselves to who asks for them',
    covers: 'BaseTaskTests: as_completed_same_tasks_in_as_out',
    python: `${ENDS}
        async def main():
            tasks = [create_task(ends(name, delay)) for name, delay in (("a", 0.02), ("b", 0.01))]
            async for task in as_completed(tasks):
                log("got", tasks.index(task), task)
      `,
    *main() {
      const tasks = [createTask(ends('a', 20)), createTask(ends('b', 10))];
      const gets = createTask(async () => {
        for await (const task of asCompleted(tasks)) {
          log('got', tasks.indexOf(task as (typeof tasks)[0]), task);
        }
      });
      yield* gets;
    },
  },
];
