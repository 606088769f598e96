// Queues: blocking, cancellation, join, shutting down; by priority and last in first out.
import { createTask, LifoQueue, PriorityQueue, Queue, sleep, type Task } from '../../src/index.js';
import { attempt, log, loop, outcome, state, type Suite } from './support/program.js';
import { waitFor } from './support/timeouts.js';

function get(queue: Queue<unknown>, name: string): Task<void> {
  return createTask(function* () {
    log(name, yield* outcome(queue.get()));
  });
}

function put(queue: Queue<unknown>, item: unknown): Task<void> {
  return createTask(function* () {
    log('put', item, yield* outcome(queue.put(item)));
  });
}

// The same in Python, for texts that need it.
const GET_PUT = `
        def get(queue, name):
            async def gets():
                log(name, await outcome(queue.get()))
            return create_task(gets())
        def put(queue, item):
            async def puts():
                log("put", item, await outcome(queue.put(item)))
            return create_task(puts())
`;

const numeric = { compare: (a: number, b: number) => a - b, maxSize: Infinity };

export const queues: Suite = {
  module: 'test_queues',
  programs: [
    {
      name: 'items come out in the order in which they went in, without turns',
      covers:
        'QueueBasicTests: order, empty, maxsize; QueuePutTests: nonblocking_put; QueueGetTests: nonblocking_get',
      python: `
        async def main():
            queue = Queue()
            log(queue.empty(), queue.qsize(), queue.full())
            for item in (1, 3, 2):
                await queue.put(item)
            queue.put_nowait(4)
            log(queue.empty(), queue.qsize(), queue.full())
            log(await queue.get(), queue.get_nowait(), await queue.get(), queue.get_nowait())
      `,
      *main() {
        const queue = new Queue<number>(Infinity);
        log(queue.empty(), queue.qsize(), queue.full());
        for (const item of [1, 3, 2]) yield* queue.put(item);
        queue.putNowait(4);
        log(queue.empty(), queue.qsize(), queue.full());
        log(yield* queue.get(), queue.getNowait(), yield* queue.get(), queue.getNowait());
      },
    },
    {
      name: 'a queue that is full or empty says so to who does not wait',
      covers:
        'QueueBasicTests: full; QueueGetTests: nonblocking_get_exception; QueuePutTests: nonblocking_put_exception',
      python: `
        async def main():
            queue = Queue(maxsize=2)
            log(attempt(queue.get_nowait))
            log(attempt(queue.put_nowait, 1), attempt(queue.put_nowait, 2), attempt(queue.put_nowait, 3))
            log(queue.full(), queue.maxsize)
      `,
      *main() {
        const queue = new Queue<number>(2);
        log(attempt(() => queue.getNowait()));
        log(
          attempt(() => queue.putNowait(1)),
          attempt(() => queue.putNowait(2)),
          attempt(() => queue.putNowait(3)),
        );
        log(queue.full(), queue.maxSize);
      },
    },
    {
      name: 'who gets from an empty queue waits for an item',
      covers: 'QueueGetTests: blocking_get, blocking_get_wait, why_are_getters_waiting',
      python: `${GET_PUT}
        async def main():
            queue = Queue()
            getters = [get(queue, name) for name in "ab"]
            loop().call_later(0.01, queue.put_nowait, 1)
            loop().call_later(0.02, queue.put_nowait, 2)
            for getter in getters:
                await getter
      `,
      *main() {
        const queue = new Queue<unknown>(Infinity);
        const getters = [...'ab'].map((name) => get(queue, name));
        loop().callLater(10, () => queue.putNowait(1));
        loop().callLater(20, () => queue.putNowait(2));
        for (const getter of getters) yield* getter;
      },
    },
    {
      name: 'who puts into a full queue waits for room',
      covers: 'QueuePutTests: blocking_put, blocking_put_wait, why_are_putters_waiting',
      python: `${GET_PUT}
        async def main():
            queue = Queue(1)
            putters = [put(queue, item) for item in "abc"]
            await sleep(0.01)
            log(*map(state, putters))
            for _ in range(3):
                log("got", await queue.get())
            for putter in putters:
                await putter
      `,
      *main() {
        const queue = new Queue<unknown>(1);
        const putters = [...'abc'].map((item) => put(queue, item));
        yield* sleep(10);
        log(...putters.map(state));
        for (let i = 0; i < 3; i++) log('got', yield* queue.get());
        for (const putter of putters) yield* putter;
      },
    },
    {
      name: 'several items at once wake several getters, in their order',
      covers: 'QueuePutTests: put_with_waiting_getters',
      python: `${GET_PUT}
        async def main():
            queue = Queue()
            getters = [get(queue, name) for name in "abc"]
            await sleep(0)
            for item in (1, 2, 3):
                queue.put_nowait(item)
            log(queue.qsize())
            for getter in getters:
                await getter
      `,
      *main() {
        const queue = new Queue<unknown>(Infinity);
        const getters = [...'abc'].map((name) => get(queue, name));
        yield* sleep(0);
        for (const item of [1, 2, 3]) queue.putNowait(item);
        log(queue.qsize());
        for (const getter of getters) yield* getter;
      },
    },
    {
      name: 'a getter that was woken may find the item gone, and keeps waiting',
      covers: 'QueueGetTests: get_with_waiting_putters',
      python: `${GET_PUT}
        async def main():
            queue = Queue()
            getters = [get(queue, name) for name in "ab"]
            await sleep(0)
            queue.put_nowait("stolen")
            log("stolen", queue.get_nowait())
            await sleep(0.01)
            queue.put_nowait("first")
            queue.put_nowait("second")
            for getter in getters:
                await getter
      `,
      *main() {
        const queue = new Queue<unknown>(Infinity);
        const getters = [...'ab'].map((name) => get(queue, name));
        yield* sleep(0);
        queue.putNowait('stolen');
        log('stolen', queue.getNowait());
        yield* sleep(10);
        queue.putNowait('first');
        queue.putNowait('second');
        for (const getter of getters) yield* getter;
      },
    },
    {
      name: 'a putter that was woken may find the room gone, and keeps waiting',
      covers: 'QueueGetTests: get_with_putters',
      python: `${GET_PUT}
        async def main():
            queue = Queue(1)
            queue.put_nowait("first")
            putters = [put(queue, item) for item in "ab"]
            await sleep(0)
            log(queue.get_nowait(), attempt(queue.put_nowait, "quick"))
            await sleep(0.01)
            log(*map(state, putters))
            for _ in range(3):
                log("got", await queue.get())
      `,
      *main() {
        const queue = new Queue<unknown>(1);
        queue.putNowait('first');
        const putters = [...'ab'].map((item) => put(queue, item));
        yield* sleep(0);
        log(
          queue.getNowait(),
          attempt(() => queue.putNowait('quick')),
        );
        yield* sleep(10);
        log(...putters.map(state));
        for (let i = 0; i < 3; i++) log('got', yield* queue.get());
      },
    },
    {
      name: 'a getter that is cancelled leaves the line, and the item is the next one s',
      covers:
        'QueuePutTests: get_cancel_drop_one_pending_reader, get_cancel_drop_many_pending_readers; QueueGetTests: cancelled_getters_not_being_held_in_self_getters',
      python: `${GET_PUT}
        async def main():
            queue = Queue()
            getters = [get(queue, name) for name in "abc"]
            await sleep(0)
            getters[0].cancel()
            getters[1].cancel()
            await sleep(0)
            queue.put_nowait("item")
            await getters[2]
      `,
      *main() {
        const queue = new Queue<unknown>(Infinity);
        const getters = [...'abc'].map((name) => get(queue, name));
        yield* sleep(0);
        getters[0]!.cancel();
        getters[1]!.cancel();
        yield* sleep(0);
        queue.putNowait('item');
        yield* getters[2]!;
      },
    },
    {
      name: 'a getter that was woken and is cancelled wakes the next one',
      covers: 'QueueGetTests: get_cancelled_race',
      python: `${GET_PUT}
        async def main():
            queue = Queue()
            getters = [get(queue, name) for name in "ab"]
            await sleep(0)
            queue.put_nowait("item")
            getters[0].cancel()
            for getter in getters:
                await outcome(getter)
            log(queue.qsize())
      `,
      *main() {
        const queue = new Queue<unknown>(Infinity);
        const getters = [...'ab'].map((name) => get(queue, name));
        yield* sleep(0);
        queue.putNowait('item');
        getters[0]!.cancel();
        for (const getter of getters) yield* outcome(getter);
        log(queue.qsize());
      },
    },
    {
      name: 'a putter that is cancelled leaves the line, and its item is not in the queue',
      covers:
        'QueuePutTests: put_cancel_drop, put_cancelled, cancelled_puts_not_being_held_in_self_putters, cancelled_put_silence_value_error_exception',
      python: `${GET_PUT}
        async def main():
            queue = Queue(1)
            queue.put_nowait("first")
            putters = [put(queue, item) for item in "abc"]
            await sleep(0)
            putters[0].cancel()
            await sleep(0)
            for _ in range(3):
                log("got", await queue.get())
            for putter in putters:
                await outcome(putter)
            log(queue.qsize())
      `,
      *main() {
        const queue = new Queue<unknown>(1);
        queue.putNowait('first');
        const putters = [...'abc'].map((item) => put(queue, item));
        yield* sleep(0);
        putters[0]!.cancel();
        yield* sleep(0);
        for (let i = 0; i < 3; i++) log('got', yield* queue.get());
        for (const putter of putters) yield* outcome(putter);
        log(queue.qsize());
      },
    },
    {
      name: 'a putter that was woken and is cancelled wakes the next one',
      covers: 'QueuePutTests: put_cancelled_race',
      python: `${GET_PUT}
        async def main():
            queue = Queue(1)
            queue.put_nowait("first")
            putters = [put(queue, item) for item in "ab"]
            await sleep(0)
            log(queue.get_nowait())
            putters[0].cancel()
            for putter in putters:
                await outcome(putter)
            log(queue.get_nowait(), queue.qsize())
      `,
      *main() {
        const queue = new Queue<unknown>(1);
        queue.putNowait('first');
        const putters = [...'ab'].map((item) => put(queue, item));
        yield* sleep(0);
        log(queue.getNowait());
        putters[0]!.cancel();
        for (const putter of putters) yield* outcome(putter);
        log(queue.getNowait(), queue.qsize());
      },
    },
    {
      name: 'getting with a time takes the item or leaves it to others',
      python: `${GET_PUT}
        async def main():
            queue = Queue()
            loop().call_later(0.02, queue.put_nowait, "item")
            log(await outcome(wait_for(queue.get(), 0.01)))
            log(await outcome(wait_for(queue.get(), 0.05)))
      `,
      *main() {
        const queue = new Queue<unknown>(Infinity);
        loop().callLater(20, () => queue.putNowait('item'));
        function* gets() {
          return yield* queue.get();
        }
        log(yield* outcome(waitFor(gets(), 10)));
        log(yield* outcome(waitFor(gets(), 50)));
      },
    },
    {
      name: 'a producer and a consumer share a queue of one',
      covers: 'QueuePutTests: blocking_put_wait',
      python: `
        async def main():
            queue = Queue(1)
            async def produce():
                for i in range(4):
                    await queue.put(i)
                    log("put", i)
            async def consume():
                for _ in range(4):
                    log("got", await queue.get())
            tasks = [create_task(produce()), create_task(consume())]
            for task in tasks:
                await task
      `,
      *main() {
        const queue = new Queue<number>(1);
        function* produce() {
          for (let i = 0; i < 4; i++) {
            yield* queue.put(i);
            log('put', i);
          }
        }
        function* consume() {
          for (let i = 0; i < 4; i++) log('got', yield* queue.get());
        }
        const tasks = [createTask(produce()), createTask(consume())];
        for (const task of tasks) yield* task;
      },
    },
    {
      name: 'a queue by priority gives the least item first',
      covers: 'PriorityQueueTests: order',
      python: `
        async def main():
            queue = PriorityQueue()
            for item in (5, 1, 4, 2, 3):
                queue.put_nowait(item)
            log(*[queue.get_nowait() for _ in range(5)])
      `,
      *main() {
        const queue = new PriorityQueue<number>(numeric);
        for (const item of [5, 1, 4, 2, 3]) queue.putNowait(item);
        log(...[1, 2, 3, 4, 5].map(() => queue.getNowait()));
      },
    },
    {
      name: 'items of one priority come out in some order',
      python: `
        class Item:
            def __init__(self, name):
                self.name = name
            def __lt__(self, other):
                return False
        async def main():
            queue = PriorityQueue()
            for name in range(8):
                queue.put_nowait(Item(name))
            log(*[queue.get_nowait().name for _ in range(8)])
      `,
      *main() {
        const queue = new PriorityQueue<number>({ compare: () => 0, maxSize: Infinity });
        for (let name = 0; name < 8; name++) queue.putNowait(name);
        log(...[0, 1, 2, 3, 4, 5, 6, 7].map(() => queue.getNowait()));
      },
      deviation: {
        reason: 'among equals the first one in is the first one out',
        trace: ['0ms/1 0 1 2 3 4 5 6 7'],
      },
    },
    {
      name: 'a stack gives the last item first',
      covers: 'LifoQueueTests: order',
      python: `
        async def main():
            queue = LifoQueue()
            for item in (1, 3, 2):
                queue.put_nowait(item)
            log(queue.get_nowait(), queue.get_nowait(), queue.get_nowait())
      `,
      *main() {
        const queue = new LifoQueue<number>(Infinity);
        for (const item of [1, 3, 2]) queue.putNowait(item);
        log(queue.getNowait(), queue.getNowait(), queue.getNowait());
      },
    },

    // join

    {
      name: 'join waits until every item is done, and is over at once where there is none',
      covers: '_QueueJoinTestMixin: task_done, join_empty_queue',
      python: `
        async def main():
            queue = Queue()
            await queue.join()
            log("nothing to wait for")
            for i in range(3):
                queue.put_nowait(i)
            async def work(name):
                while True:
                    item = await queue.get()
                    await sleep(0.01)
                    log(name, item)
                    queue.task_done()
            workers = [create_task(work(name)) for name in "ab"]
            await queue.join()
            log("joined")
            for worker in workers:
                worker.cancel()
                await outcome(worker)
      `,
      *main() {
        const queue = new Queue<number>(Infinity);
        yield* queue.join();
        log('nothing to wait for');
        for (let i = 0; i < 3; i++) queue.putNowait(i);
        function* work(name: string): Generator<unknown, void, unknown> {
          for (;;) {
            const item = yield* queue.get();
            yield* sleep(10);
            log(name, item);
            queue.taskDone();
          }
        }
        const workers = [...'ab'].map((name) => createTask(work(name)));
        yield* queue.join();
        log('joined');
        for (const worker of workers) {
          worker.cancel();
          yield* outcome(worker);
        }
      },
    },
    {
      name: 'no more items can be done than were put',
      covers: '_QueueJoinTestMixin: task_done_underflow',
      python: `
        async def main():
            queue = Queue()
            log(attempt(queue.task_done))
            queue.put_nowait(1)
            log(attempt(queue.task_done), attempt(queue.task_done))
      `,
      *main() {
        const queue = new Queue<number>(Infinity);
        log(attempt(() => queue.taskDone()));
        queue.putNowait(1);
        log(
          attempt(() => queue.taskDone()),
          attempt(() => queue.taskDone()),
        );
      },
    },
    {
      name: 'an item that is put when join was woken does not hold it up',
      covers: '_QueueJoinTestMixin: task_done',
      python: `
        async def main():
            queue = Queue()
            queue.put_nowait(1)
            async def joins(name):
                await queue.join()
                log(name, "joined")
            first = create_task(joins("first"))
            await sleep(0)
            queue.get_nowait()
            queue.task_done()
            queue.put_nowait(2)
            second = create_task(joins("second"))
            await first
            log(state(second))
            queue.task_done()
            await second
      `,
      *main() {
        const queue = new Queue<number>(Infinity);
        queue.putNowait(1);
        function* joins(name: string) {
          yield* queue.join();
          log(name, 'joined');
        }
        const first = createTask(joins('first'));
        yield* sleep(0);
        queue.getNowait();
        queue.taskDone();
        queue.putNowait(2);
        const second = createTask(joins('second'));
        yield* first;
        log(state(second));
        queue.taskDone();
        yield* second;
      },
    },
    {
      name: 'who joins and is cancelled concerns nobody else',
      python: `
        async def main():
            queue = Queue()
            queue.put_nowait(1)
            async def joins(name):
                await queue.join()
                log(name, "joined")
            tasks = [create_task(joins(name)) for name in "ab"]
            await sleep(0)
            tasks[0].cancel()
            queue.task_done()
            for task in tasks:
                log(await outcome(task))
      `,
      *main() {
        const queue = new Queue<number>(Infinity);
        queue.putNowait(1);
        function* joins(name: string) {
          yield* queue.join();
          log(name, 'joined');
        }
        const tasks = [...'ab'].map((name) => createTask(joins(name)));
        yield* sleep(0);
        tasks[0]!.cancel();
        queue.taskDone();
        for (const task of tasks) log(yield* outcome(task));
      },
    },

    // Shutting down

    {
      name: 'a queue that is shut down and empty throws at everybody',
      covers: '_QueueShutdownTestMixin: shutdown_empty',
      python: `${GET_PUT}
        async def main():
            queue = Queue()
            getters = [get(queue, name) for name in "ab"]
            await sleep(0)
            queue.shutdown()
            queue.shutdown()
            log(attempt(queue.put_nowait, 1), attempt(queue.get_nowait))
            log(await outcome(queue.put(1)), await outcome(queue.get()))
            for getter in getters:
                await getter
            await queue.join()
      `,
      *main() {
        const queue = new Queue<unknown>(Infinity);
        const getters = [...'ab'].map((name) => get(queue, name));
        yield* sleep(0);
        queue.shutdown();
        queue.shutdown();
        log(
          attempt(() => queue.putNowait(1)),
          attempt(() => queue.getNowait()),
        );
        function* puts() {
          yield* queue.put(1);
        }
        function* gets() {
          return yield* queue.get();
        }
        log(yield* outcome(puts() as any), yield* outcome(gets() as any));
        for (const getter of getters) yield* getter;
        yield* queue.join();
      },
    },
    {
      name: 'a queue that is shut down gives what is in it first',
      covers: '_QueueShutdownTestMixin: shutdown_nonempty',
      python: `${GET_PUT}
        async def main():
            queue = Queue(2)
            queue.put_nowait(1)
            queue.put_nowait(2)
            putters = [put(queue, item) for item in (3, 4)]
            await sleep(0)
            queue.shutdown()
            log(attempt(queue.put_nowait, 5))
            log(await queue.get(), queue.get_nowait(), attempt(queue.get_nowait))
            for putter in putters:
                await putter
            joiner = create_task(queue.join())
            await sleep(0.01)
            log(state(joiner))
            queue.task_done()
            queue.task_done()
            await joiner
            log("joined")
      `,
      *main() {
        const queue = new Queue<unknown>(2);
        queue.putNowait(1);
        queue.putNowait(2);
        const putters = [3, 4].map((item) => put(queue, item));
        yield* sleep(0);
        queue.shutdown();
        log(attempt(() => queue.putNowait(5)));
        log(
          yield* queue.get(),
          queue.getNowait(),
          attempt(() => queue.getNowait()),
        );
        for (const putter of putters) yield* putter;
        const joiner = createTask(function* () {
          yield* queue.join();
        });
        yield* sleep(10);
        log(state(joiner));
        queue.taskDone();
        queue.taskDone();
        yield* joiner;
        log('joined');
      },
    },
    {
      name: 'a queue that is shut down at once drops what is in it, and nobody waits for that',
      covers: '_QueueShutdownTestMixin: shutdown_immediate',
      python: `${GET_PUT}
        async def main():
            queue = Queue(1)
            queue.put_nowait(1)
            putter = put(queue, 2)
            joiner = create_task(queue.join())
            await sleep(0)
            queue.shutdown(immediate=True)
            log(queue.qsize(), attempt(queue.get_nowait), attempt(queue.put_nowait, 3))
            await putter
            await joiner
            log("joined", attempt(queue.task_done))
      `,
      *main() {
        const queue = new Queue<unknown>(1);
        queue.putNowait(1);
        const putter = put(queue, 2);
        const joiner = createTask(function* () {
          yield* queue.join();
        });
        yield* sleep(0);
        queue.shutdown({ immediate: true });
        log(
          queue.qsize(),
          attempt(() => queue.getNowait()),
          attempt(() => queue.putNowait(3)),
        );
        yield* putter;
        yield* joiner;
        log(
          'joined',
          attempt(() => queue.taskDone()),
        );
      },
    },
    {
      name: 'a queue that is shut down at once waits in join for what is under way',
      covers: '_QueueShutdownTestMixin: shutdown_immediate_with_unfinished',
      python: `
        async def main():
            queue = Queue()
            for item in (1, 2, 3):
                queue.put_nowait(item)
            queue.get_nowait()
            joiner = create_task(queue.join())
            await sleep(0)
            queue.shutdown(immediate=True)
            await sleep(0.01)
            log(state(joiner))
            queue.task_done()
            await joiner
            log("joined", attempt(queue.task_done))
      `,
      *main() {
        const queue = new Queue<number>(Infinity);
        for (const item of [1, 2, 3]) queue.putNowait(item);
        queue.getNowait();
        const joiner = createTask(function* () {
          yield* queue.join();
        });
        yield* sleep(0);
        queue.shutdown({ immediate: true });
        yield* sleep(10);
        log(state(joiner));
        queue.taskDone();
        yield* joiner;
        log(
          'joined',
          attempt(() => queue.taskDone()),
        );
      },
    },
  ],
};
