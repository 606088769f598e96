// The part of test_locks that is about barriers.
import { Barrier, createTask, sleep, type Task } from '../../src/index.js';
import { attempt, log, outcome, state, type Program } from './support/program.js';

/** Tasks that wait at a barrier and tell what came of it. */
function arrive(barrier: Barrier, names: string): Task<void>[] {
  function* waits(name: string): Generator<unknown, void, unknown> {
    log(name, yield* outcome(barrier.wait()));
  }
  return [...names].map((name) => createTask(waits(name)));
}

function* arriveOne(barrier: Barrier): Generator<unknown, unknown, unknown> {
  return yield* outcome(barrier.wait());
}

// The same in Python, for texts that need it.
const ARRIVE = `
        def arrive(barrier, names):
            async def waits(name):
                log(name, await outcome(barrier.wait()))
            return [create_task(waits(name)) for name in names]
`;

export const barriers: readonly Program[] = [
  {
    name: 'a barrier has parties, and takes no fewer than one',
    covers: 'BarrierTests: barrier, barrier_parties',
    python: `
        async def main():
            barrier = Barrier(3)
            log(barrier.parties, barrier.n_waiting, barrier.broken)
            log(attempt(Barrier, 0), attempt(Barrier, -4))
      `,
    *main() {
      const barrier = new Barrier(3);
      log(barrier.parties, barrier.waiting, barrier.broken);
      log(
        attempt(() => new Barrier(0)),
        attempt(() => new Barrier(-4)),
      );
    },
  },
  {
    name: 'a barrier of one lets everybody through, without a turn',
    covers: 'BarrierTests: filling_one_task, filling_one_task_twice',
    python: `
        async def main():
            barrier = Barrier(1)
            log(await barrier.wait(), await barrier.wait(), barrier.n_waiting)
      `,
    *main() {
      const barrier = new Barrier(1);
      log(yield* barrier.wait(), yield* barrier.wait(), barrier.waiting);
    },
  },
  {
    name: 'the last one to arrive goes on at once, the others in their order, each with its number',
    covers: 'BarrierTests: filling_task_by_task, filling_tasks_check_return_value',
    python: `${ARRIVE}
        async def main():
            barrier = Barrier(3)
            tasks = arrive(barrier, "abc")
            await sleep(0)
            log(barrier.n_waiting, barrier.broken)
            for task in tasks:
                await task
            log(barrier.n_waiting)
      `,
    *main() {
      const barrier = new Barrier(3);
      const tasks = arrive(barrier, 'abc');
      yield* sleep(0);
      log(barrier.waiting, barrier.broken);
      for (const task of tasks) yield* task;
      log(barrier.waiting);
    },
  },
  {
    name: 'a barrier is used again and again',
    covers: 'BarrierTests: filling_tasks_wait_twice, context_manager',
    python: `
        async def main():
            barrier = Barrier(2)
            async def party(name):
                for round in range(3):
                    log(name, round, await barrier.wait())
            tasks = [create_task(party(name)) for name in "ab"]
            for task in tasks:
                await task
      `,
    *main() {
      const barrier = new Barrier(2);
      function* party(name: string) {
        for (let round = 0; round < 3; round++) log(name, round, yield* barrier.wait());
      }
      for (const task of [...'ab'].map((name) => createTask(party(name)))) yield* task;
    },
  },
  {
    name: 'who arrives while the barrier drains waits for the next round',
    covers: 'BarrierTests: draining_state, blocking_tasks_while_draining',
    python: `${ARRIVE}
        async def main():
            barrier = Barrier(2)
            tasks = arrive(barrier, "abcde")
            await sleep(0.01)
            log(barrier.n_waiting, *map(state, tasks))
            log("main", await barrier.wait())
            await tasks[4]
      `,
    *main() {
      const barrier = new Barrier(2);
      const tasks = arrive(barrier, 'abcde');
      yield* sleep(10);
      log(barrier.waiting, ...tasks.map(state));
      log('main', yield* barrier.wait());
      yield* tasks[4]!;
    },
  },
  {
    name: 'a waiter that is cancelled leaves the barrier whole',
    covers: 'BarrierTests: filling_tasks_cancel_one',
    python: `${ARRIVE}
        async def main():
            barrier = Barrier(3)
            tasks = arrive(barrier, "ab")
            await sleep(0)
            tasks[0].cancel()
            await sleep(0)
            log(barrier.n_waiting, barrier.broken)
            late = arrive(barrier, "cd")
            await late[1]
            await sleep(0.01)
            log(barrier.n_waiting)
      `,
    *main() {
      const barrier = new Barrier(3);
      const tasks = arrive(barrier, 'ab');
      yield* sleep(0);
      tasks[0]!.cancel();
      yield* sleep(0);
      log(barrier.waiting, barrier.broken);
      const late = arrive(barrier, 'cd');
      yield* late[1]!;
      yield* sleep(10);
      log(barrier.waiting);
    },
  },
  {
    name: 'resetting a barrier nobody waits at changes nothing',
    covers: 'BarrierTests: reset_barrier',
    python: `${ARRIVE}
        async def main():
            barrier = Barrier(2)
            await barrier.reset()
            log(barrier.broken, barrier.n_waiting)
            tasks = arrive(barrier, "ab")
            for task in tasks:
                await task
      `,
    *main() {
      const barrier = new Barrier(2);
      yield* barrier.reset();
      log(barrier.broken, barrier.waiting);
      const tasks = arrive(barrier, 'ab');
      for (const task of tasks) yield* task;
    },
  },
  {
    name: 'resetting a barrier throws at who waits, and it can be used again',
    covers:
      'BarrierTests: reset_barrier_while_tasks_waiting, reset_barrier_while_tasks_waiting_and_waiting_again',
    python: `${ARRIVE}
        async def main():
            barrier = Barrier(3)
            arrive(barrier, "ab")
            await sleep(0)
            await barrier.reset()
            log(barrier.broken, barrier.n_waiting)
            await sleep(0.01)
            log(barrier.broken, barrier.n_waiting)
            tasks = arrive(barrier, "cde")
            for task in tasks:
                await task
      `,
    *main() {
      const barrier = new Barrier(3);
      arrive(barrier, 'ab');
      yield* sleep(0);
      yield* barrier.reset();
      log(barrier.broken, barrier.waiting);
      yield* sleep(10);
      log(barrier.broken, barrier.waiting);
      const tasks = arrive(barrier, 'cde');
      for (const task of tasks) yield* task;
    },
  },
  {
    name: 'resetting a barrier that drains harms nobody',
    covers: 'BarrierTests: reset_barrier_while_tasks_draining',
    python: `${ARRIVE}
        async def main():
            barrier = Barrier(3)
            arrive(barrier, "ab")
            await sleep(0)
            log("main", await barrier.wait())
            await barrier.reset()
            log(barrier.broken, barrier.n_waiting)
            await sleep(0.01)
            log(barrier.broken, barrier.n_waiting)
      `,
    *main() {
      const barrier = new Barrier(3);
      arrive(barrier, 'ab');
      yield* sleep(0);
      log('main', yield* barrier.wait());
      yield* barrier.reset();
      log(barrier.broken, barrier.waiting);
      yield* sleep(10);
      log(barrier.broken, barrier.waiting);
    },
  },
  {
    name: 'resetting a barrier while some drain and others wait for the next round',
    covers:
      'BarrierTests: reset_barrier_when_tasks_half_draining, reset_barrier_when_tasks_half_draining_half_blocking',
    python: `${ARRIVE}
        async def main():
            barrier = Barrier(3)
            arrive(barrier, "ab")
            await sleep(0)
            log("main", await barrier.wait())
            late = arrive(barrier, "cd")
            await sleep(0)
            await barrier.reset()
            log(barrier.broken, barrier.n_waiting)
            await sleep(0.01)
            log(barrier.broken, barrier.n_waiting, *map(state, late))
      `,
    *main() {
      const barrier = new Barrier(3);
      arrive(barrier, 'ab');
      yield* sleep(0);
      log('main', yield* barrier.wait());
      const late = arrive(barrier, 'cd');
      yield* sleep(0);
      yield* barrier.reset();
      log(barrier.broken, barrier.waiting);
      yield* sleep(10);
      log(barrier.broken, barrier.waiting, ...late.map(state));
    },
  },
  {
    name: 'an aborted barrier throws at who waits and at who comes, until it is reset',
    covers: 'BarrierTests: abort_barrier, abort_barrier_when_exception_then_resetting',
    python: `${ARRIVE}
        async def main():
            barrier = Barrier(3)
            arrive(barrier, "ab")
            await sleep(0)
            await barrier.abort()
            log(barrier.broken, barrier.n_waiting)
            await sleep(0.01)
            log("main", await outcome(barrier.wait()), barrier.n_waiting)
            await barrier.reset()
            log(barrier.broken)
            for task in arrive(barrier, "cde"):
                await task
      `,
    *main() {
      const barrier = new Barrier(3);
      arrive(barrier, 'ab');
      yield* sleep(0);
      yield* barrier.abort();
      log(barrier.broken, barrier.waiting);
      yield* sleep(10);
      log('main', yield* arriveOne(barrier), barrier.waiting);
      yield* barrier.reset();
      log(barrier.broken);
      for (const task of arrive(barrier, 'cde')) yield* task;
    },
  },
  {
    name: 'aborting a barrier while some drain and others wait for the next round',
    covers:
      'BarrierTests: abort_barrier_when_tasks_half_draining_half_blocking, abort_barrier_when_exception',
    python: `${ARRIVE}
        async def main():
            barrier = Barrier(2)
            arrive(barrier, "abcd")
            await sleep(0)
            await barrier.abort()
            log(barrier.broken)
            await sleep(0.01)
            log(barrier.broken, barrier.n_waiting)
      `,
    *main() {
      const barrier = new Barrier(2);
      arrive(barrier, 'abcd');
      yield* sleep(0);
      yield* barrier.abort();
      log(barrier.broken);
      yield* sleep(10);
      log(barrier.broken, barrier.waiting);
    },
  },
];
