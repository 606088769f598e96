// Compiled, never run: what the types of queues and channels give and refuse.
import {
  channel,
  LifoQueue,
  PriorityQueue,
  Queue,
  type Awaitable,
  type ChannelStatistics,
  type QueueStatistics,
  type Receiver,
  type Sender,
} from 'evloop';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function type<E>(): { of<V>(value: V, ...wrong: Equal<V, E> extends true ? [] : ['another type']): void } {
  return {
    of() {
      // Checked by the compiler.
    },
  };
}

const queue = new Queue<string>(10);
type<Awaitable<string>>().of(queue.get());
type<Awaitable<void>>().of(queue.put('item'));
type<Awaitable<void>>().of(queue.join());
type<string>().of(queue.getNowait());
type<boolean>().of(queue.offer('item'));
type<QueueStatistics>().of(queue.statistics());
queue.shutdown({ immediate: true });

async function inAsync(): Promise<void> {
  type<string>().of(await queue.get());
  for await (const item of queue) type<string>().of(item);
}
function* inGenerator(): Generator<unknown, void, unknown> {
  type<string>().of(yield* queue.get());
  type<void>().of(yield* queue.put('item'));
}
void [inAsync, inGenerator];

// @ts-expect-error -- the size has no default
new Queue<string>();
// @ts-expect-error -- nor has it in one that gives the last first
new LifoQueue<string>();
// @ts-expect-error -- an item of another type
queue.putNowait(5);
// @ts-expect-error -- of another type, to wait for
void queue.put(5);
// @ts-expect-error -- no such policy
new Queue<string>(10, { overflow: 'block' });
// @ts-expect-error -- no such option
new Queue<string>(10, { overflw: 'throw' });
// @ts-expect-error -- set once
queue.maxSize = 5;
// @ts-expect-error -- a queue of numbers gives none of strings
const ofNumbers: Queue<number> = queue;
void ofNumbers;

const jobs = new PriorityQueue<{ level: number }>({
  compare: (a, b) => a.level - b.level,
  maxSize: Infinity,
});
type<Awaitable<{ level: number }>>().of(jobs.get());
const inferred = new PriorityQueue({ compare: (a: Date, b: Date) => +a - +b, maxSize: 5 });
type<PriorityQueue<Date>>().of(inferred);
const asQueue: Queue<Date> = inferred;
void asQueue;
// @ts-expect-error -- how should it compare?
new PriorityQueue<number>({ maxSize: 5 });
// @ts-expect-error -- the size has no default
new PriorityQueue<number>({ compare: (a, b) => a - b });
// @ts-expect-error -- it does not know which item is there longest
new PriorityQueue<number>({ compare: (a, b) => a - b, maxSize: 5, overflow: 'dropOldest' });

const { send, receive } = channel<number>(0);
type<Sender<number>>().of(send);
type<Receiver<number>>().of(receive);
type<Awaitable<void>>().of(send.send(1));
type<Awaitable<number>>().of(receive.receive());
type<number>().of(receive.receiveNowait());
type<Sender<number>>().of(send.clone());
type<Receiver<number>>().of(receive.clone());
type<ChannelStatistics>().of(receive.statistics());
async function drain(): Promise<void> {
  for await (const item of receive) type<number>().of(item);
}
void drain;
// @ts-expect-error -- the capacity has no default
channel<number>();
// @ts-expect-error -- an item of another type
send.sendNowait('item');
// @ts-expect-error -- an end is of one kind
void send.receive;
