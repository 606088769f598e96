// Every public function, given what it does not take, says so: with a TypeError or RangeError, a code,
// and what it expected and got. The last tests find public functions that the table forgets.
import { PassThrough, Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as evloop from '../../src/index.js';
import {
  EventLoop,
  ExceptionGroup,
  FifoPolicy,
  Future,
  LoopRemote,
  Runner,
  Task,
  TaskTracker,
} from '../../src/index.js';
import type { CancelScope, TaskGroup, Timeout } from '../../src/index.js';
import type {
  DatagramTransport,
  RemoteHandle,
  Server,
  Service,
  Stream,
  TimerHandle,
  Transport,
  UdpSocket,
} from '../../src/index.js';
import { soon, stopped } from '../support/loop.js';

// What is there to call functions of.
interface Fixture {
  loop: EventLoop;
  timer: TimerHandle;
  future: Future<unknown>;
  task: Task<unknown>;
  tracker: TaskTracker;
  remoteHandle: RemoteHandle;
  remote: LoopRemote;
  runner: Runner;
  server: Server;
  stream: Stream;
  transport: Transport;
  socket: UdpSocket;
  datagrams: DatagramTransport;
  protocolServer: Server;
  group: TaskGroup;
  limit: Timeout;
  scope: CancelScope;
  errors: ExceptionGroup;
  service: Service;
}

type Call = (fixture: Fixture, value: any) => unknown;

interface Row {
  /** The function, as the coverage test finds it. */
  name: string;
  /** How the message names what is wrong. */
  argument: string;
  types?: readonly unknown[];
  ranges?: readonly unknown[];
  /** What a function of the caller must not return. */
  results?: readonly unknown[];
  call: Call;
}

const nothing = (): void => undefined;
function* coroutine(): Generator<unknown, void> {}

// No callback, option object, coroutine ... is any of these.
const noFunctions = [undefined, null, 5, 'text', {}, [], Symbol('symbol')];
const noObjects = [null, 5, 'text', true, []];
const noNumbers = [undefined, null, '5', {}, [5], 5n, true];
const noOptionalNumbers = noNumbers.slice(1);
const noOptionalBooleans = [null, 0, 'true', {}];
const noOptionalStrings = [null, 5, {}, ['text']];
const noSignals = [null, 5, 'text', {}, { aborted: false }, new EventTarget()];
const noCoroutines = [undefined, null, 5, 'text', {}, Promise.resolve()];
const noContexts = [5, 'text', {}, []];
const noBytes = [undefined, null, 5, {}, [1, 2], true];

const rows: Row[] = [];

function row(
  name: string,
  argument: string,
  values: Pick<Row, 'types' | 'ranges' | 'results'>,
  call: Call,
): void {
  rows.push({ name, argument, ...values, call });
}

// Options that are passed as one object.
function options(
  name: string,
  call: (fixture: Fixture, options: any) => unknown,
  properties: Record<string, { types?: readonly unknown[]; ranges?: readonly unknown[] }>,
  rest: object = {},
): void {
  row(name, 'options', { types: noObjects }, call);
  for (const [property, values] of Object.entries(properties)) {
    row(name, `options.${property}`, values, (fixture, value) =>
      call(fixture, { ...rest, [property]: value }),
    );
  }
}

// The loop

options('EventLoop', (_, value) => new EventLoop(value), {
  backend: { types: [null, 5, {}], ranges: ['devpoll', ''] },
  host: { types: [null, 5, {}], ranges: ['node', ''] },
  clock: { types: noObjects },
  policy: { types: noObjects },
  asyncHooks: { types: noOptionalBooleans },
  debug: { types: noOptionalBooleans },
  budgetMs: { types: noOptionalNumbers, ranges: [NaN, -1, 1001, Infinity] },
  maxBatch: { types: noOptionalNumbers, ranges: [NaN, 0, -1, 1.5, 2 ** 32] },
  drain: { types: [null, 5, {}], ranges: ['always'] },
  unhandled: { types: [null, 5, {}], ranges: ['ignore'] },
  resolver: { types: noObjects },
  dnsThreads: { types: noOptionalNumbers, ranges: [NaN, 0, -1, 1.5, 65] },
});
row(
  'EventLoop',
  'options.resolver.getAddrInfo',
  { types: noFunctions },
  (_, value) => new EventLoop({ resolver: { getAddrInfo: value } }),
);
for (const method of ['now', 'sleepTime']) {
  const clock = { now: nothing, sleepTime: nothing };
  row(
    'EventLoop',
    `options.clock.${method}`,
    { types: noFunctions },
    (_, value) => new EventLoop({ clock: { ...clock, [method]: value } as never }),
  );
}
for (const method of ['push', 'pop']) {
  const policy = { size: 0, push: nothing, pop: nothing };
  row(
    'EventLoop',
    `options.policy.${method}`,
    { types: noFunctions },
    (_, value) => new EventLoop({ policy: { ...policy, [method]: value } as never }),
  );
}
row(
  'EventLoop',
  'options.policy.size',
  { types: noNumbers, ranges: [NaN, -1] },
  (_, value) => new EventLoop({ policy: { size: value as never, push: nothing, pop: () => undefined } }),
);
row('EventLoop.callSoon', 'callback', { types: noFunctions }, ({ loop }, value) => loop.callSoon(value));
row('EventLoop.callSoonThreadsafe', 'callback', { types: noFunctions }, ({ loop }, value) =>
  loop.callSoonThreadsafe(value),
);
row('EventLoop.callSoonWith', 'callback', { types: noFunctions }, ({ loop }, value) =>
  loop.callSoonWith({}, value),
);
options('EventLoop.callSoonWith', ({ loop }, value) => loop.callSoonWith(value, nothing), {
  context: { types: noContexts },
});
const delays = { types: noNumbers, ranges: [NaN] };
row('EventLoop.callLater', 'delayMs', delays, ({ loop }, value) => loop.callLater(value, nothing));
row('EventLoop.callLater', 'callback', { types: noFunctions }, ({ loop }, value) => loop.callLater(1, value));
row('EventLoop.callAt', 'whenMs', delays, ({ loop }, value) => loop.callAt(value, nothing));
row('EventLoop.callAt', 'callback', { types: noFunctions }, ({ loop }, value) => loop.callAt(1, value));
row('EventLoop.setExceptionHandler', 'handler', { types: [undefined, 5, 'text', {}] }, ({ loop }, value) =>
  loop.setExceptionHandler(value),
);
row(
  'EventLoop.slowCallbackDuration',
  'slowCallbackDuration',
  { types: noNumbers, ranges: [NaN, -1] },
  ({ loop }, value) => (loop.slowCallbackDuration = value),
);
row(
  'EventLoop.onSlowCallback',
  'onSlowCallback',
  { types: [undefined, 5, 'text', {}] },
  ({ loop }, value) => {
    loop.onSlowCallback = value;
  },
);
row(
  'EventLoop.onSwallowedCancel',
  'onSwallowedCancel',
  { types: [undefined, 5, 'text', {}] },
  ({ loop }, value) => {
    loop.onSwallowedCancel = value;
  },
);
for (const name of ['callExceptionHandler', 'defaultExceptionHandler'] as const) {
  row(`EventLoop.${name}`, 'context', { types: [undefined, ...noObjects] }, ({ loop }, value) =>
    loop[name](value),
  );
  row(`EventLoop.${name}`, 'context.message', { types: [undefined, null, 5, {}] }, ({ loop }, value) =>
    loop[name]({ message: value }),
  );
}
row('EventLoop.setTaskFactory', 'factory', { types: [undefined, 5, 'text', {}] }, ({ loop }, value) =>
  loop.setTaskFactory(value),
);
row(
  'EventLoop.setTaskFactory',
  'factory',
  { results: [undefined, null, 5, {}, Promise.resolve()] },
  (_, value) => {
    using other = new EventLoop();
    other.setTaskFactory(() => value as never);
    return other.createTask(coroutine());
  },
);
row('EventLoop.runUntilComplete', 'work', { types: [undefined, null, 5, 'text', {}] }, ({ loop }, value) =>
  loop.runUntilComplete(value),
);
row('EventLoop.wrap', 'promise', { types: [undefined, null, 5, 'text', {}, nothing] }, ({ loop }, value) =>
  loop.wrap(value),
);
options('EventLoop.wrap', ({ loop }, value) => loop.wrap(Promise.resolve(), value), {
  signal: { types: noSignals },
});
const noDescriptor = { types: noNumbers, ranges: [NaN, -1, 2 ** 31, 1.5, Infinity] };
for (const method of ['addReader', 'addWriter'] as const) {
  row(`EventLoop.${method}`, 'fd', noDescriptor, ({ loop }, value) => {
    loop[method](value, nothing);
  });
  row(`EventLoop.${method}`, 'callback', { types: noFunctions }, ({ loop }, value) => {
    loop[method](0, value);
  });
}
for (const method of ['removeReader', 'removeWriter', 'readable', 'writable', 'notifyClosing'] as const) {
  row(`EventLoop.${method}`, 'fd', noDescriptor, ({ loop }, value) => loop[method](value));
}
const sockCalls = {
  bind: [{ address: '::1', port: 0 }],
  listen: [],
  address: [],
  close: [],
  recv: [1],
  recvInto: [new Uint8Array(1)],
  recvFrom: [1],
  recvFromInto: [new Uint8Array(1)],
  sendAll: ['x'],
  sendTo: ['x', { address: '::1', port: 1 }],
  connect: [{ address: '::1', port: 1 }],
  accept: [],
};
for (const [method, rest] of Object.entries(sockCalls)) {
  row(`RawSockets.${method}`, 'fd', noDescriptor, ({ loop }, value) =>
    (loop.sock as any)[method](value, ...rest),
  );
}
for (const method of ['recv', 'recvFrom'] as const) {
  const counts = { types: noNumbers, ranges: [NaN, -1, 1.5, 2 ** 31] };
  row(`RawSockets.${method}`, 'count', counts, ({ loop }, value) => loop.sock[method](0, value));
}
for (const method of ['recvInto', 'recvFromInto'] as const) {
  row(`RawSockets.${method}`, 'bytes', { types: [undefined, ...noObjects] }, ({ loop }, value) =>
    loop.sock[method](0, value),
  );
}
const addressed: Record<string, Call> = {
  bind: ({ loop }, address) => {
    loop.sock.bind(0, address);
  },
  connect: ({ loop }, address) => loop.sock.connect(0, address),
  sendTo: ({ loop }, address) => loop.sock.sendTo(0, 'x', address),
};
for (const [method, call] of Object.entries(addressed)) {
  row(`RawSockets.${method}`, 'address', { types: [undefined, null, 5, 'text'] }, call);
  row(`RawSockets.${method}`, 'address.path', { types: [5, null] }, (_, path) => call(_, { path }));
  row(`RawSockets.${method}`, 'address.address', { types: [5, null], ranges: ['name'] }, (_, address) =>
    call(_, { address, port: 0 }),
  );
  row(`RawSockets.${method}`, 'address.port', { types: noNumbers, ranges: [-1, 65536] }, (_, port) =>
    call(_, { address: '::1', port }),
  );
}
row('RawSockets.sendAll', 'data', { types: [undefined, null, 5, {}] }, ({ loop }, value) =>
  loop.sock.sendAll(0, value),
);
row('RawSockets.sendTo', 'data', { types: [undefined, null, 5, {}] }, ({ loop }, value) =>
  loop.sock.sendTo(0, value, { address: '::1', port: 1 }),
);
row('RawSockets.listen', 'backlog', { types: [null, '5'], ranges: [-1, 1.5] }, ({ loop }, value) =>
  loop.sock.listen(0, value),
);
row('RawSockets.create', 'options.family', { types: [null, 5], ranges: ['ipx'] }, ({ loop }, value) =>
  loop.sock.create({ family: value }),
);
row('RawSockets.create', 'options.type', { types: [null, 5], ranges: ['raw'] }, ({ loop }, value) =>
  loop.sock.create({ type: value }),
);
row('RawSockets.pair', 'type', { types: [null, 5], ranges: ['raw'] }, ({ loop }, value) =>
  loop.sock.pair(value),
);
for (const method of ['adoptSocket', 'readPipe', 'writePipe'] as const) {
  row(`EventLoop.${method}`, 'fd', noDescriptor, ({ loop }, value) => loop[method](value));
}
row('EventLoop.connectAcceptedSocket', 'protocolFactory', { types: noFunctions }, ({ loop }, value) =>
  loop.connectAcceptedSocket(value, { fd: 0 }),
);
row('EventLoop.connectAcceptedSocket', 'options.fd', noDescriptor, ({ loop }, value) =>
  loop.connectAcceptedSocket(() => ({}), { fd: value }),
);
for (const method of ['connectReadPipe', 'connectWritePipe'] as const) {
  row(`EventLoop.${method}`, 'protocolFactory', { types: noFunctions }, ({ loop }, value) =>
    loop[method](value, 0),
  );
  row(`EventLoop.${method}`, 'fd', noDescriptor, ({ loop }, value) => loop[method](() => ({}), value));
}
const ports = [NaN, -1, 65536, 1.5];
const noFlags = { types: [null, 5, 'passive', {}, [5], [null]], ranges: [['']] };
row('EventLoop.getAddrInfo', 'host', { types: [undefined, 5, {}, ['name']] }, ({ loop }, value) =>
  loop.getAddrInfo(value),
);
row(
  'EventLoop.getAddrInfo',
  'port',
  { types: [{}, [80], true, 5n], ranges: [...ports, '65536', 'http\0'] },
  ({ loop }, value) => loop.getAddrInfo('::1', value),
);
options('EventLoop.getAddrInfo', ({ loop }, value) => loop.getAddrInfo('::1', 80, value), {
  family: { types: [null, '4', {}], ranges: [NaN, 5, -4] },
  type: { types: [null, 1, {}], ranges: ['', 'tcp'] },
  protocol: { types: noOptionalNumbers, ranges: ports },
  flags: noFlags,
});
row('EventLoop.getNameInfo', 'where', { types: [undefined, ...noObjects] }, ({ loop }, value) =>
  loop.getNameInfo(value),
);
row(
  'EventLoop.getNameInfo',
  'where.address',
  { types: [undefined, null, 5, {}], ranges: ['', 'localhost', '127.1', '::1\0'] },
  ({ loop }, value) => loop.getNameInfo({ address: value, port: 80 }),
);
row('EventLoop.getNameInfo', 'where.port', { types: noNumbers, ranges: ports }, ({ loop }, value) =>
  loop.getNameInfo({ address: '::1', port: value }),
);
row('EventLoop.getNameInfo', 'flags', noFlags, ({ loop }, value) =>
  loop.getNameInfo({ address: '::1', port: 80 }, value),
);
row('EventLoop.createRemote', 'functions', { types: [undefined, ...noObjects] }, ({ loop }, value) =>
  loop.createRemote(value),
);
row('EventLoop.createRemote', 'functions.call', { types: noFunctions }, ({ loop }, value) =>
  loop.createRemote({ call: value }),
);
options('EventLoop.createRemote', ({ loop }, value) => loop.createRemote({}, value), {
  capacityBytes: { types: noOptionalNumbers, ranges: [NaN, 0, 1023, 1500.5, 2 ** 29] },
});

const taskOptions = {
  name: { types: noOptionalStrings },
  eagerStart: { types: noOptionalBooleans },
  signal: { types: noSignals },
  context: { types: noContexts },
  startOnCancel: { types: noOptionalBooleans },
  deadline: { types: noOptionalNumbers, ranges: [NaN] },
};
const makers: Record<string, (fixture: Fixture, coroutine: any, options?: any) => unknown> = {
  'EventLoop.createTask': ({ loop }, ...args) => loop.createTask(...args),
  'EventLoop.spawnDetached': ({ loop }, ...args) => loop.spawnDetached(...args),
  createTask: (_, ...args) => evloop.createTask(...args),
  Task: ({ loop }, ...args) => new Task(loop, ...args),
  'TaskTracker.createTask': ({ tracker }, ...args) => tracker.createTask(...args),
  'TaskGroup.createTask': ({ group }, ...args) => group.createTask(...args),
};
for (const [name, make] of Object.entries(makers)) {
  row(name, 'coroutine', { types: noCoroutines }, (fixture, value) => make(fixture, value));
  options(name, (fixture, value) => make(fixture, coroutine(), value), taskOptions);
}

// Handles, futures and tasks

row('Task.name', 'name', { types: [undefined, null, 5, {}] }, ({ task }, value) => (task.name = value));
row('TimerHandle.reset', 'delayMs', delays, ({ timer }, value) => timer.reset(value));
row('TimerHandle.resetAt', 'whenMs', delays, ({ timer }, value) => timer.resetAt(value));
const noLoops = [null, 5, 'text', {}];
row('Future', 'loop', { types: [undefined, ...noLoops] }, (_, value) => new Future(value));
row('Task', 'loop', { types: [undefined, ...noLoops] }, (_, value) => new Task(value, coroutine()));
row('TaskTracker', 'loop', { types: noLoops }, (_, value) => new TaskTracker(value));
row(
  'TaskTracker.track',
  'future',
  { types: [undefined, null, 5, {}, Promise.resolve()] },
  ({ tracker }, value) => tracker.track(value),
);
row('Future.addDoneCallback', 'callback', { types: noFunctions }, ({ future }, value) =>
  future.addDoneCallback(value),
);
options('Future.addDoneCallback', ({ future }, value) => future.addDoneCallback(nothing, value), {
  context: { types: noContexts },
});
row('Future.removeDoneCallback', 'callback', { types: noFunctions }, ({ future }, value) =>
  future.removeDoneCallback(value),
);
row('sleep', 'delayMs', delays, (_, value) => evloop.sleep(value));
row('interval', 'periodMs', { types: noNumbers, ranges: [NaN, 0, -1, Infinity, -Infinity] }, (_, value) =>
  evloop.interval(value),
);
options('interval', (_, value) => evloop.interval(10, value), {
  missed: { types: [null, 5, {}], ranges: ['', 'catchUp'] },
  startAt: { types: noOptionalNumbers, ranges: [NaN, Infinity, -Infinity] },
});

// Synchronisation

const noPermits = { types: noOptionalNumbers, ranges: [NaN, 0, -1, 1.5, Infinity] };
options('Lock', (_, value) => new evloop.Lock(value), { owner: { types: noOptionalBooleans } });
row('Lock.withLock', 'body', { types: noFunctions }, (_, value) => new evloop.Lock().withLock(value));
row('Condition', 'lock', { types: [null, 5, 'text', {}] }, (_, value) => new evloop.Condition(value));
row('Condition.withLock', 'body', { types: noFunctions }, (_, value) =>
  new evloop.Condition().withLock(value),
);
row('Condition.waitFor', 'predicate', { types: noFunctions }, (_, value) =>
  new evloop.Condition().waitFor(value),
);
row('Condition.notify', 'n', { types: noOptionalNumbers, ranges: [NaN, -1, 1.5, Infinity] }, (_, value) => {
  new evloop.Condition().notify(value);
});
for (const type of ['Semaphore', 'BoundedSemaphore'] as const) {
  const sizes = { types: noOptionalNumbers, ranges: [NaN, -1, 1.5, Infinity] };
  row(type, 'permits', sizes, (_, value) => new evloop[type](value));
  for (const method of ['acquire', 'tryAcquire', 'release'] as const) {
    row(`${type}.${method}`, 'permits', noPermits, (_, value) => new evloop[type](1)[method](value));
  }
  row(`${type}.resize`, 'permits', { types: noNumbers, ranges: [NaN, -1, 1.5, Infinity] }, (_, value) => {
    new evloop[type](1).resize(value);
  });
  row(`${type}.withPermit`, 'body', { types: noFunctions }, (_, value) =>
    new evloop[type](1).withPermit(value),
  );
  row(`${type}.withPermit`, 'permits', noPermits, (_, value) =>
    new evloop[type](1).withPermit(coroutine, value),
  );
}
const tokens = { types: noNumbers, ranges: [NaN, 0, -1, 1.5] };
row('CapacityLimiter', 'totalTokens', tokens, (_, value) => new evloop.CapacityLimiter(value));
row(
  'CapacityLimiter.totalTokens',
  'totalTokens',
  tokens,
  (_, value) => (new evloop.CapacityLimiter(1).totalTokens = value),
);
row('CapacityLimiter.withToken', 'body', { types: noFunctions }, (_, value) =>
  new evloop.CapacityLimiter(1).withToken(value, 'borrower'),
);
row(
  'Barrier',
  'parties',
  { types: noNumbers, ranges: [NaN, 0, -1, 1.5, Infinity] },
  (_, value) => new evloop.Barrier(value),
);

// Scopes

const body = async (): Promise<void> => undefined;
const anyDelay = { types: noNumbers.filter((value) => value !== null), ranges: [NaN] };
for (const name of ['timeout', 'timeoutAt'] as const) {
  const argument = name === 'timeout' ? 'delayMs' : 'when';
  row(name, argument, anyDelay, (_, value) => evloop[name](value, body));
  row(name, 'body', { types: noFunctions }, (_, value) => evloop[name](1, value));
  options(name, (_, value) => evloop[name](1, body, value), { strict: { types: noOptionalBooleans } });
}
row('Timeout.reschedule', 'when', anyDelay, ({ limit }, value) => limit.reschedule(value));
row('waitFor', 'delayMs', anyDelay, ({ future }, value) => evloop.waitFor(future, value));
const noAwaitables = [undefined, null, 5, 'text', {}];
row('waitFor', 'awaitable', { types: noAwaitables }, (_, value) => evloop.waitFor(value, 1));
options('waitFor', ({ future }, value) => evloop.waitFor(future, 1, value), {
  strict: { types: noOptionalBooleans },
});
row('shield', 'awaitable', { types: noAwaitables }, (_, value) => evloop.shield(value));
row('ensureFuture', 'awaitable', { types: noAwaitables }, (_, value) => evloop.ensureFuture(value));
row('fromSignal', 'signal', { types: [undefined, ...noSignals] }, (_, value) => evloop.fromSignal(value));
row('cancelScope', 'options', { types: [undefined] }, (_, value) => evloop.cancelScope(value, body));
options('cancelScope', (_, value) => evloop.cancelScope(value, body), {
  deadline: { types: noOptionalNumbers, ranges: [NaN] },
  shield: { types: noOptionalBooleans },
  signal: { types: noSignals },
});
row('cancelScope', 'body', { types: noFunctions }, (_, value) => evloop.cancelScope({}, value));
for (const name of ['moveOnAfter', 'failAfter', 'cleanup'] as const) {
  row(name, 'delayMs', delays, (_, value) => evloop[name](value, body));
  row(name, 'body', { types: noFunctions }, (_, value) => evloop[name](1, value));
}
row('CancelScope.deadline', 'deadline', delays, ({ scope }, value) => (scope.deadline = value));
row('CancelScope.shield', 'shield', { types: [undefined, ...noOptionalBooleans] }, ({ scope }, value) => {
  scope.shield = value;
});
row('taskGroup', 'body', { types: noFunctions }, (_, value) => evloop.taskGroup(value));
options('taskGroup', (_, value) => evloop.taskGroup(body, value), {
  onError: { types: [null, 5, {}], ranges: ['', 'ignore'] },
});
row('requestScope', 'requester', { types: [undefined, ...noObjects, {}, Readable.from([])] }, (_, value) =>
  evloop.requestScope(value, body),
);
row('requestScope', 'body', { types: noFunctions }, (_, value) =>
  evloop.requestScope(new PassThrough(), value),
);
row('TaskGroup.start', 'body', { types: noFunctions }, ({ group }, value) => group.start(value));
row('encodeDeadline', 'deadline', { types: noOptionalNumbers, ranges: [NaN] }, (_, value) =>
  evloop.encodeDeadline(value),
);
row(
  'decodeDeadline',
  'header',
  {
    types: [undefined, null, 5, {}],
    ranges: ['', '5', 'm', '123456789m', '5x', '-5m', '1.5S', ' 5m', '5m\n'],
  },
  (_, value) => evloop.decodeDeadline(value),
);

// Errors

row('ExceptionGroup', 'message', { types: [undefined, null, 5, {}] }, (_, value) => {
  return new ExceptionGroup(value, [1]);
});
row(
  'ExceptionGroup',
  'errors',
  { types: [undefined, null, 5, 'text', {}, new Set([1])], ranges: [[]] },
  (_, value) => {
    return new ExceptionGroup('message', value);
  },
);
for (const method of ['split', 'subgroup'] as const) {
  row(`ExceptionGroup.${method}`, 'condition', { types: noFunctions }, ({ errors }, value) =>
    errors[method](value),
  );
}
row(
  'ExceptionGroup.derive',
  'errors',
  { types: [undefined, null, 5, {}], ranges: [[]] },
  ({ errors }, value) => errors.derive(value),
);
row('catchStar', 'handlers', { types: [undefined, ...noObjects] }, ({ errors }, value) =>
  evloop.catchStar(errors, value),
);
row('catchStar', 'handlers.Error', { types: noFunctions }, ({ errors }, value) =>
  evloop.catchStar(errors, { Error: value }),
);

// The engine's own class says it in its own words.
if (!('AsyncDisposableStack' in globalThis)) {
  row(
    'AsyncDisposableStack.use',
    'value',
    { types: [5, 'text', {}, [], { [Symbol.dispose]: 5 }] },
    (_, value) => new evloop.AsyncDisposableStack().use(value),
  );
  row('AsyncDisposableStack.adopt', 'onDispose', { types: noFunctions }, (_, value) =>
    new evloop.AsyncDisposableStack().adopt(1, value),
  );
  row('AsyncDisposableStack.defer', 'onDispose', { types: noFunctions }, (_, value) =>
    new evloop.AsyncDisposableStack().defer(value),
  );
}

// Programs

const programSignals = {
  types: [null, 5, 'SIGINT', {}, [2], [null], new Set(['SIGINT'])],
  ranges: [['SIGKILL'], ['SIGINT', 'SIGSTOP'], ['sigint'], [''], ['toString']],
};
options('Runner', (_, value) => new Runner(value), {
  debug: { types: noOptionalBooleans },
  loopFactory: { types: noFunctions.slice(1) },
  graceMs: { types: noOptionalNumbers, ranges: [NaN, -1] },
  signals: programSignals,
});
row(
  'Runner',
  'options.loopFactory',
  { results: [undefined, null, 5, {}, Promise.resolve()] },
  (_, value) => new Runner({ loopFactory: () => value as never }).loop,
);
row('Runner.run', 'coroutine', { types: noCoroutines }, ({ runner }, value) => runner.run(value));
options('Runner.run', ({ runner }, value) => runner.run(coroutine(), value), {
  context: { types: noContexts },
});
row('run', 'coroutine', { types: noCoroutines }, (_, value) => evloop.run(value));
options('run', (_, value) => evloop.run(coroutine(), value), {
  debug: { types: noOptionalBooleans },
  loopFactory: { types: noFunctions.slice(1) },
  graceMs: { types: noOptionalNumbers, ranges: [NaN, -1] },
  signals: programSignals,
});

// Queues

const noMaxSizes = { types: noNumbers, ranges: [NaN, 0, -1, 1.5, -Infinity] };
row('Queue', 'maxSize', noMaxSizes, (_, value) => new evloop.Queue(value));
options('Queue', (_, value) => new evloop.Queue(1, value), {
  overflow: { types: [null, 5, {}], ranges: ['', 'block'] },
});
options('Queue.shutdown', (_, value) => new evloop.Queue(1).shutdown(value), {
  immediate: { types: noOptionalBooleans },
});
row('LifoQueue', 'maxSize', noMaxSizes, (_, value) => new evloop.LifoQueue(value));
options(
  'PriorityQueue',
  (_, value) => new evloop.PriorityQueue(value),
  {
    compare: { types: noFunctions },
    maxSize: noMaxSizes,
    overflow: { types: [null, 5, {}], ranges: ['', 'dropOldest'] },
  },
  { compare: nothing, maxSize: 1 },
);

row('channel', 'capacity', { types: noNumbers, ranges: [NaN, -1, 1.5, -Infinity] }, (_, value) =>
  evloop.channel(value),
);
// Several awaitables at once

const noIterables = [undefined, null, 5, 'text', {}, Promise.resolve(), nothing];
const noJoinables = [undefined, null, 5, 'text', {}];
for (const name of ['gather', 'race', 'firstSuccess', 'asCompleted'] as const) {
  const call = evloop[name] as (value: unknown) => unknown;
  row(name, 'awaitables', { types: noIterables }, (_, value) => call(value));
  row(name, 'awaitables[1]', { types: noJoinables }, ({ future }, value) => call([future, value]));
}
for (const name of ['race', 'firstSuccess'] as const) {
  row(name, 'awaitables', { ranges: [[]] }, (_, value) => evloop[name](value));
}
options('gather', (_, value) => evloop.gather([], value), {
  returnExceptions: { types: noOptionalBooleans },
});
const timeouts = { types: ['5', {}, true], ranges: [NaN] };
options('asCompleted', (_, value) => evloop.asCompleted([], value), { timeout: timeouts });
row('wait', 'futures', { types: noIterables, ranges: [[]] }, (_, value) => evloop.wait(value));
row('wait', 'futures[1]', { types: [...noJoinables, coroutine(), coroutine] }, ({ future }, value) =>
  evloop.wait([future, value]),
);
options('wait', ({ future }, value) => evloop.wait([future], value), {
  timeout: timeouts,
  returnWhen: { types: [null, 5, {}], ranges: ['', 'ALL'] },
});
row('staggeredRace', 'functions', { types: noIterables, ranges: [[]] }, (_, value) =>
  evloop.staggeredRace(value, 1),
);
row('staggeredRace', 'functions[0]', { types: [...noJoinables, Promise.resolve()] }, (_, value) =>
  evloop.staggeredRace([value], 1),
);
row('staggeredRace', 'delayMs', { types: noNumbers, ranges: [NaN, -1] }, (_, value) =>
  evloop.staggeredRace([coroutine], value),
);
row('ensureFuture', 'awaitable', { types: noJoinables }, (_, value) => evloop.ensureFuture(value));
row('mapConcurrent', 'source', { types: [undefined, null, 5, {}, nothing] }, (_, value) =>
  evloop.mapConcurrent(value, coroutine, { limit: 1 }),
);
row('mapConcurrent', 'body', { types: noFunctions }, (_, value) =>
  evloop.mapConcurrent([], value, { limit: 1 }),
);
options(
  'mapConcurrent',
  (_, value) => evloop.mapConcurrent([], coroutine, value),
  {
    limit: { types: noNumbers, ranges: [NaN, 0, 1.5, -Infinity] },
    ordered: { types: noOptionalBooleans },
  },
  { limit: 1 },
);
row('once', 'emitter', { types: [undefined, null, 5, 'text', {}, []] }, (_, value) =>
  evloop.once(value, 'event'),
);
row('once', 'name', { types: [undefined, null, 5, {}] }, (_, value) => evloop.once(new EventTarget(), value));
options('once', (_, value) => evloop.once(new EventTarget(), 'event', value), {
  signal: { types: noSignals },
});
const noAsyncGenerators = [undefined, null, 5, 'text', {}, coroutine(), Promise.resolve()];
row('closing', 'generator', { types: noAsyncGenerators }, (_, value) => evloop.closing(value));
row('EventLoop.track', 'generator', { types: noAsyncGenerators }, ({ loop }, value) => loop.track(value));

// Other threads

row('LoopRemote', 'handle', { types: [undefined, ...noObjects] }, (_, value) => new LoopRemote(value));
for (const [property, types, ranges] of [
  ['notifierId', noNumbers, [NaN, 0, -1, 1.5]],
  ['names', [undefined, null, 5, 'text', {}, [5]], []],
  ['buffer', [undefined, null, 5, {}, new ArrayBuffer(4096)], []],
  ['threadId', noNumbers, [NaN, -1, 0.5]],
] as const) {
  row(
    'LoopRemote',
    `handle.${property}`,
    { types, ranges },
    ({ remoteHandle }, value) => new LoopRemote({ ...remoteHandle, [property]: value }),
  );
}
row(
  'LoopRemote',
  'handle.buffer.byteLength',
  { ranges: [0, 8, 1000] },
  ({ remoteHandle }, value: number) =>
    new LoopRemote({ ...remoteHandle, buffer: new SharedArrayBuffer(value) }),
);
row(
  'LoopRemote.post',
  'name',
  { types: [undefined, null, 5, {}], ranges: ['', 'other', 'toString', '__proto__'] },
  ({ remote }, value) => remote.post(value),
);
row('LoopRemote.post', 'args', { ranges: [Buffer.alloc(1e6)] }, ({ remote }, value) =>
  remote.post('call', value),
);

row(
  'LoopRemote.call',
  'name',
  { types: [undefined, null, 5, {}], ranges: ['', 'other', 'toString', '__proto__'] },
  ({ remote }, value) => remote.call(value),
);
row('LoopRemote.call', 'args', { ranges: [Buffer.alloc(1e6)] }, ({ remote }, value) =>
  remote.call('call', value),
);

// Connections

const bufferOptions = {
  limit: { types: noOptionalNumbers, ranges: [NaN, 0, 1.5] },
  highWaterMark: { types: noOptionalNumbers, ranges: [NaN, -1, 1.5] },
  lowWaterMark: { types: noOptionalNumbers, ranges: [NaN, -1, 1.5] },
  closeTimeout: { types: noOptionalNumbers, ranges: [NaN, -1] },
};
const tcpOptions = {
  ...bufferOptions,
  noDelay: { types: noOptionalBooleans },
  keepAlive: { types: noOptionalBooleans },
  keepAliveDelay: { types: noOptionalNumbers, ranges: [NaN, -1, 1.5, 2 ** 31] },
};
// `true` is for clients.
const noTls = [null, 5, 'text', []];
const noTimeouts = { types: noOptionalNumbers, ranges: [NaN, -1, 2 ** 31] };
const tlsTimeouts = { handshakeTimeout: noTimeouts, shutdownTimeout: noTimeouts };
const connectOptions = {
  ...tcpOptions,
  port: { types: noNumbers, ranges: [NaN, 0, -1, 65536, 80.5] },
  host: { types: noOptionalStrings },
  tls: { types: noTls },
  family: { types: noOptionalNumbers, ranges: [NaN, 5, 6.5] },
  happyEyeballsDelay: { types: noOptionalNumbers, ranges: [NaN, -1] },
  interleave: { types: noOptionalNumbers, ranges: [NaN, -1, 1.5] },
  allErrors: { types: noOptionalBooleans },
  localAddress: { types: noOptionalStrings, ranges: ['', 'localhost', '1.2.3'] },
  localPort: { types: noOptionalNumbers, ranges: [NaN, -1, 65536, 80.5] },
  path: { types: noOptionalStrings, ranges: ['', 'a\0b'] },
};
for (const method of ['adoptSocket', 'readPipe', 'writePipe'] as const) {
  options(`EventLoop.${method}`, ({ loop }, value) => loop[method](0, value), bufferOptions);
}
options(
  'EventLoop.connectAcceptedSocket',
  ({ loop }, value) => loop.connectAcceptedSocket(() => ({}), value),
  bufferOptions,
);
for (const method of ['stdin', 'stdout', 'stderr'] as const) {
  options(method, (_, value) => evloop[method](value), bufferOptions);
}
const listenOptions = {
  ...tcpOptions,
  port: { types: noOptionalNumbers, ranges: [NaN, -1, 65536, 80.5] },
  host: { types: [null, 5, {}, ['::1', 5]], ranges: [[]] },
  samePort: { types: noOptionalBooleans },
  ipv6Only: { types: noOptionalBooleans },
  path: { types: noOptionalStrings, ranges: ['', 'a\0b'] },
  fd: { types: noOptionalNumbers, ranges: [NaN, -1, 1.5, 2 ** 31] },
  backlog: { types: noOptionalNumbers, ranges: [NaN, 0, 1.5, 65536] },
  reusePort: { types: noOptionalBooleans },
  tls: { types: [...noTls, true] },
};
options('connect', (_, value) => evloop.connect(value), connectOptions, { port: 80 });
// What a Unix socket does not have, and what is settled for a socket that listens already.
const notWithPath = {
  host: { types: ['localhost'] },
  port: { types: [80] },
  noDelay: { types: [true] },
  keepAlive: { types: [true] },
  keepAliveDelay: { types: [1000] },
};
const connectPathOptions = {
  ...notWithPath,
  localAddress: { types: ['127.0.0.1'] },
  localPort: { types: [80] },
  family: { types: [4] },
  happyEyeballsDelay: { types: [250] },
  interleave: { types: [1] },
  allErrors: { types: [true] },
};
const addressOptions = {
  samePort: { types: [true] },
  reusePort: { types: [true] },
  ipv6Only: { types: [true] },
};
const listenPathOptions = { ...notWithPath, ...addressOptions };
const listenFdOptions = {
  ...addressOptions,
  host: { types: ['localhost'] },
  port: { types: [80] },
  path: { types: ['socket'] },
  backlog: { types: [5] },
};
options('connect', (_, value) => evloop.connect(value), connectPathOptions, { path: 'socket' });
options('listen', (_, value) => evloop.listen(nothing as never, value), listenPathOptions, {
  path: 'socket',
});
options('listen', (_, value) => evloop.listen(nothing as never, value), listenFdOptions, { fd: 0 });
options(
  'EventLoop.createConnection',
  ({ loop }, value) => loop.createConnection(() => ({}), value),
  connectOptions,
  { port: 80 },
);
row('EventLoop.createConnection', 'protocolFactory', { types: noFunctions }, ({ loop }, value) =>
  loop.createConnection(value, { port: 80 }),
);
options('listen', (_, value) => evloop.listen(nothing as never, value), listenOptions);
row('listen', 'handler', { types: noFunctions }, (_, value) => evloop.listen(value));
const noEnd = {
  host: { types: noOptionalStrings },
  port: { types: noOptionalNumbers, ranges: [NaN, -1, 65536, 80.5] },
};
const datagramOptions = {
  local: { types: noObjects },
  remote: { types: noObjects },
  family: { types: noOptionalNumbers, ranges: [NaN, 5, -1] },
  broadcast: { types: noOptionalBooleans },
  reusePort: { types: noOptionalBooleans },
  ipv6Only: { types: noOptionalBooleans },
};
options('udp', (_, value) => evloop.udp(value), {
  ...datagramOptions,
  receiveQueue: { types: noOptionalNumbers, ranges: [NaN, 0, 1.5] },
  highWaterMark: { types: noOptionalNumbers, ranges: [NaN, -1, 1.5] },
  lowWaterMark: { types: noOptionalNumbers, ranges: [NaN, -1, 1.5] },
});
for (const [name, values] of Object.entries(noEnd)) {
  row('udp', `options.local.${name}`, values, (_, value) => evloop.udp({ local: { [name]: value } }));
}
options(
  'EventLoop.createDatagramEndpoint',
  ({ loop }, value) => loop.createDatagramEndpoint(() => ({}), value),
  datagramOptions,
);
row('EventLoop.createDatagramEndpoint', 'protocolFactory', { types: noFunctions }, ({ loop }, value) =>
  loop.createDatagramEndpoint(value),
);
const noData = { types: [undefined, null, 5, {}, [1]] };
row('UdpSocket.send', 'data', noData, ({ socket }, value) => socket.send(value));
row('DatagramTransport.sendTo', 'data', noData, ({ datagrams }, value) => datagrams.sendTo(value));
row('UdpSocket.send', 'address', { types: noObjects.slice(1) }, ({ socket }, value) =>
  socket.send('', value),
);
row(
  'UdpSocket.send',
  'address.address',
  { types: [undefined, null, 5], ranges: ['localhost', '', '1.2.3', '::1'] },
  ({ socket }, value) => socket.send('', { address: value, port: 9 }),
);
row(
  'UdpSocket.send',
  'address.port',
  { types: noNumbers, ranges: [NaN, 0, 65536, 1.5] },
  ({ socket }, value) => socket.send('', { address: '127.0.0.1', port: value }),
);
row('UdpSocket.onError', 'onError', { types: [undefined, 5, 'text', {}] }, ({ socket }, value) => {
  socket.onError = value;
});
row('UdpSocket.recvMany', 'limit', { types: noNumbers, ranges: [NaN, 0, 1.5] }, ({ socket }, value) =>
  socket.recvMany(value),
);
for (const method of ['addMembership', 'dropMembership'] as const) {
  row(`UdpSocket.${method}`, 'group', { types: [null, 5, {}], ranges: ['', 'all'] }, ({ socket }, value) =>
    socket[method](value),
  );
}
row(
  'UdpSocket.setMulticastInterface',
  'interfaceName',
  { types: [undefined, null, {}], ranges: [-1, 1.5, 'no such one', '203.0.113.9'] },
  ({ socket }, value) => socket.setMulticastInterface(value),
);
for (const method of ['setTtl', 'setMulticastTtl'] as const) {
  row(`UdpSocket.${method}`, 'hops', { types: noNumbers, ranges: [NaN, -1, 256, 1.5] }, ({ socket }, value) =>
    socket[method](value),
  );
}
for (const method of ['setBroadcast', 'setMulticastLoopback'] as const) {
  row(`UdpSocket.${method}`, 'on', { types: [undefined, null, 1, 'yes'] }, ({ socket }, value) =>
    socket[method](value),
  );
}
row(
  'DatagramTransport.setWriteBufferLimits',
  'limits.high',
  { types: noOptionalNumbers, ranges: [NaN, -1, 1.5] },
  ({ datagrams }, value) => datagrams.setWriteBufferLimits({ high: value }),
);
options('EventLoop.createServer', ({ loop }, value) => loop.createServer(() => ({}), value), listenOptions);
row('EventLoop.createServer', 'protocolFactory', { types: noFunctions }, ({ loop }, value) =>
  loop.createServer(value),
);
row(
  'Stream.read',
  'size',
  { types: noOptionalNumbers, ranges: [NaN, -2, 1.5, Infinity] },
  ({ stream }, value) => stream.read(value),
);
row(
  'Stream.readExactly',
  'size',
  { types: noNumbers, ranges: [NaN, -1, 1.5, Infinity] },
  ({ stream }, value) => stream.readExactly(value),
);
row(
  'Stream.readUntil',
  'separator',
  { types: [undefined, null, 5, {}, ['a', 5]], ranges: ['', [], [Buffer.alloc(0)]] },
  ({ stream }, value) => stream.readUntil(value),
);
row(
  'Stream.writev',
  'pieces',
  { types: [undefined, null, 5, {}, 'text', [5], Buffer.alloc(3)] },
  ({ stream }, value) => stream.writev(value),
);
row('Stream.send', 'data', { types: noBytes }, ({ stream }, value) => stream.send(value));
row('Stream.write', 'data', { types: noBytes }, ({ stream }, value) => stream.write(value));
row(
  'Stream.sendFile',
  'file',
  { types: [undefined, null, 'path', {}, []], ranges: [NaN, -1, 1.5, 2 ** 31] },
  ({ stream }, value) => stream.sendFile(value),
);
options('Stream.sendFile', ({ stream }, value) => stream.sendFile(0, value), {
  offset: { types: noOptionalNumbers, ranges: [NaN, -1, 1.5] },
  count: { types: noOptionalNumbers, ranges: [NaN, -1, 1.5] },
});
options('fromNodeSocket', (_, value) => evloop.fromNodeSocket(new PassThrough(), value), bufferOptions);
row(
  'fromNodeSocket',
  'duplex',
  { types: [undefined, ...noObjects, new PassThrough({ objectMode: true })] },
  (_, value) => evloop.fromNodeSocket(value),
);
options('streamPair', (_, value) => evloop.streamPair(value), bufferOptions);
const startTlsOptions = {
  ...tlsTimeouts,
  isServer: { types: noOptionalBooleans },
  onSession: { types: noFunctions.slice(1) },
};
options('Stream.startTls', ({ stream }, value) => stream.startTls(value), startTlsOptions);
options(
  'EventLoop.startTls',
  ({ loop, transport }, value) => loop.startTls(transport, {}, value),
  startTlsOptions,
);
row('EventLoop.startTls', 'transport', { types: [undefined, null, 5, {}] }, ({ loop }, value) =>
  loop.startTls(value, {}),
);
row('EventLoop.startTls', 'protocol', { types: [undefined, null, 5, []] }, ({ loop, transport }, value) =>
  loop.startTls(transport, value),
);
for (const [name, values] of Object.entries(tlsTimeouts)) {
  row('connect', `options.tls.${name}`, values, (_, value) =>
    evloop.connect({ port: 80, tls: { [name]: value } }),
  );
  row('listen', `options.tls.${name}`, values, (_, value) =>
    evloop.listen(nothing as never, { tls: { [name]: value } }),
  );
}
options('Stream.toNodeDuplex', ({ stream }, value) => stream.toNodeDuplex(value), {
  allowHalfOpen: { types: noOptionalBooleans },
});
options('nodeConnection', (_, value) => evloop.nodeConnection(value), {
  port: { types: noNumbers.slice(1), ranges: [NaN, -1, 65536, 80.5] },
});
row('Stream.setNoDelay', 'on', { types: noOptionalBooleans }, ({ stream }, value) =>
  stream.setNoDelay(value),
);
row('Stream.setKeepAlive', 'on', { types: noOptionalBooleans }, ({ stream }, value) =>
  stream.setKeepAlive(value),
);
row(
  'Stream.setKeepAlive',
  'delayMs',
  { types: noOptionalNumbers, ranges: [NaN, -1, 1.5, 2 ** 31] },
  ({ stream }, value) => stream.setKeepAlive(true, value),
);
row('Transport.write', 'data', { types: noBytes }, ({ transport }, value) => transport.write(value));
row(
  'Transport.setProtocol',
  'protocol',
  { types: [undefined, null, 5, 'text', []] },
  ({ transport }, value) => transport.setProtocol(value),
);
row('Transport.setWriteBufferLimits', 'limits', { types: noObjects }, ({ transport }, value) =>
  transport.setWriteBufferLimits(value),
);
row(
  'Transport.setWriteBufferLimits',
  'limits.high',
  { types: noOptionalNumbers, ranges: [NaN, -1, 1.5] },
  ({ transport }, value) => transport.setWriteBufferLimits({ high: value }),
);
row(
  'Transport.setWriteBufferLimits',
  'limits.low',
  { types: noOptionalNumbers, ranges: [NaN, -1, 1.5, 11] },
  ({ transport }, value) => transport.setWriteBufferLimits({ high: 10, low: value }),
);

// Functions with parameters that are right to take everything, and why.
// Services of Node's servers

row('serve', 'app', { types: [undefined, null, 5, 'text', {}, []] }, (_, value) => evloop.serve(value));
options('serve', (_, value) => evloop.serve(nothing, value), {
  host: { types: noOptionalStrings },
  port: { types: noOptionalNumbers, ranges: [NaN, -1, 1.5, 65536] },
  path: { types: noOptionalStrings },
  backlog: { types: noOptionalNumbers, ranges: [NaN, 0, 1.5, 65536] },
  drain: { types: noOptionalNumbers, ranges: [NaN, -1, Infinity] },
  lameDuck: { types: noOptionalNumbers, ranges: [NaN, -1, Infinity] },
  signals: { types: [null, 5, 'SIGTERM', [5]], ranges: [['SIGKILL'], ['SIGNONE']] },
});
options('Service.shutdown', ({ service }, value) => service.shutdown(value), {
  drain: { types: noOptionalNumbers, ranges: [NaN, -1, Infinity] },
  lameDuck: { types: noOptionalNumbers, ranges: [NaN, -1, Infinity] },
});

const takesEverything: Record<string, string> = {
  CancelledError: 'the reason is whatever somebody passed to cancel()',
  LoopClosedError: 'as Error does',
  QueueEmpty: 'as Error does',
  IncompleteReadError: 'what a stream tells',
  LimitOverrunError: 'what a stream tells',
  QueueFull: 'as Error does',
  QueueShutDown: 'as Error does',
  WouldBlock: 'as Error does',
  EndOfChannel: 'as Error does',
  BrokenResourceError: 'as Error does',
  ClosedResourceError: 'as Error does',
  SystemError: 'reports a failure, and must not fail itself',
  TimeoutError: 'as Error does',
  isCancelled: 'asks about any value',
  Interval: 'made by interval()',
  Closing: 'made by closing()',
  CancelScope: 'made by cancelScope() and its like',
  'CancelScope.cancel': 'any value is a reason',
  Completed: 'made by TaskGroup.completed()',
  TaskGroup: 'made by taskGroup()',
  'TaskGroup.cancel': 'any value is a reason',
  Timeout: 'made by timeout() and timeoutAt()',
  Handle: 'abstract; its subclasses are of the library',
  TimerHandle: 'made by callLater() and callAt()',
  Server: 'made by listen() and createServer()',
  Service: 'made by serve()',
  RawSockets: 'made by loop.sock',
  Stream: 'made by connect() and listen()',
  Transport: 'made by createConnection() and createServer()',
  'CapacityLimiter.acquire': 'any value is a borrower',
  'CapacityLimiter.tryAcquire': 'any value is a borrower',
  'CapacityLimiter.release': 'any value is a borrower',
  'FifoPolicy.push': 'called by the loop, for every handle',
  'Future.setResult': 'any value is a result',
  'Future.setResultUnlessDone': 'any value is a result',
  'Future.setException': 'any value can be thrown',
  'Future.cancel': 'any value is a reason',
  'Future.then': 'as Promise does',
  'Future.catch': 'as Promise does',
  'Future.finally': 'as Promise does',
  'Future.throw': 'of the iterator protocol',
  'Future.return': 'of the iterator protocol',
  'Task.cancel': 'any value is a reason',
  'Task.setResult': 'refused, whatever it is: a task has the result of its coroutine',
  'Task.setResultUnlessDone': 'refused, whatever it is',
  'Task.setException': 'refused, whatever it is',
  'Queue.put': 'any value is an item',
  'Queue.putNowait': 'any value is an item',
  'Queue.offer': 'any value is an item',
  Sender: 'made by channel()',
  Receiver: 'made by channel()',
  'Sender.send': 'any value is an item',
  'Sender.sendNowait': 'any value is an item',
  DatagramTransport: 'made by createDatagramEndpoint()',
  UdpSocket: 'made by udp()',
  'DatagramTransport.onDatagram': 'called by the endpoint',
  'DatagramTransport.onFailure': 'called by the endpoint',
  'UdpSocket.onDatagram': 'called by the endpoint',
  'UdpSocket.onFailure': 'called by the endpoint',
  'Stream.onData': 'called by the endpoint',
  'Stream.onError': 'called by the endpoint',
  'Transport.onData': 'called by the endpoint',
  'Transport.onError': 'called by the endpoint',
};

// Fixture

let fixture: Fixture;
let finished: Promise<void>;

beforeAll(async () => {
  const loop = new EventLoop();
  finished = loop.runForever();
  const server = await evloop.listen(async () => undefined, { host: '127.0.0.1' });
  const protocolServer = await loop.createServer(() => ({}), { host: '127.0.0.1' });
  const stream = await evloop.connect({ host: '127.0.0.1', port: protocolServer.port });
  const [transport] = await loop.createConnection(() => ({}), {
    host: '127.0.0.1',
    port: protocolServer.port,
  });
  const socket = await evloop.udp({ local: { host: '127.0.0.1' } });
  const [datagrams] = await loop.createDatagramEndpoint(() => ({}));
  const remoteHandle = loop.createRemote({ call: nothing });
  const scopes = await openScopes();
  fixture = {
    ...scopes,
    errors: new ExceptionGroup('several', [new TypeError('one')]),
    loop,
    timer: loop.callLater(1e6, nothing),
    future: loop.createFuture<unknown>(),
    tracker: new TaskTracker(loop),
    remoteHandle,
    remote: new LoopRemote(remoteHandle),
    runner: new Runner(),
    server,
    stream,
    transport,
    socket,
    datagrams,
    protocolServer,
    service: await evloop.serve(nothing, { host: '127.0.0.1', signals: [] }),
  };
});

// Opens one of each around a task that waits until the end of the tests.
async function openScopes(): Promise<Pick<Fixture, 'task' | 'group' | 'limit' | 'scope'>> {
  return new Promise((resolve) => {
    const task = evloop.createTask(() =>
      evloop.cancelScope({}, (scope) =>
        evloop.timeout(null, (limit) =>
          evloop.taskGroup(async (group) => {
            resolve({ task, group, limit, scope });
            await new Future(evloop.currentTask()!._loop);
          }),
        ),
      ),
    );
  });
}

afterAll(async () => {
  const { loop, timer, task, server, protocolServer, stream, transport, socket, datagrams } = fixture;
  await soon(loop);
  // What was refused has left nothing behind.
  expect(loop.statistics()).toMatchObject({ ready: 0, timers: 1, tasks: 1 });
  timer.cancel();
  task.cancel();
  stream.abort();
  transport.abort();
  socket.abort();
  datagrams.abort();
  protocolServer.abortClients();
  await server.close();
  await protocolServer.close();
  await stopped(loop);
  await finished;
  expect(loop.statistics()).toMatchObject({ ready: 0, timers: 0, tasks: 0, sockets: 0, references: 0 });
  loop.close();
});

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function expectRefusal(call: () => unknown, argument: string, name: string, code: string): void {
  let error: Error & { code?: unknown };
  try {
    const result = call();
    // Whatever came of it must not haunt the other tests.
    Promise.resolve(result).catch(nothing);
    expect.fail('was accepted');
  } catch (thrown) {
    error = thrown as Error & { code?: unknown };
  }
  const kind = argument.includes('.') ? 'property' : 'argument';
  const what =
    code === 'ERR_INVALID_RETURN_VALUE'
      ? `The result of "${escape(argument)}"`
      : `The "${escape(argument)}" ${kind}`;
  expect(error.message).toMatch(new RegExp(`(^|: )${what}: expected .+, got .+$`));
  expect(error.code).toBe(code);
  expect(error.name).toBe(name);
  expect(error).toBeInstanceOf(name === 'TypeError' ? TypeError : RangeError);
}

const describeValue = (value: unknown): string => {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol' || typeof value !== 'object' || value === null) return String(value);
  return Array.isArray(value) ? 'an array' : `a ${value.constructor.name}`;
};

const byName = groupRows();

function groupRows(): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const it of rows) groups.set(it.name, [...(groups.get(it.name) ?? []), it]);
  return groups;
}

describe.each([...byName])('%s', (_, group) => {
  for (const { argument, types = [], ranges = [], results = [], call } of group) {
    for (const value of types) {
      test(`${argument}: ${describeValue(value)} is of a wrong type`, () => {
        expectRefusal(() => call(fixture, value), argument, 'TypeError', 'ERR_INVALID_ARG_TYPE');
      });
    }
    for (const value of ranges) {
      test(`${argument}: ${describeValue(value)} is out of range`, () => {
        expectRefusal(() => call(fixture, value), argument, 'RangeError', 'ERR_OUT_OF_RANGE');
      });
    }
    for (const value of results) {
      test(`${argument}: ${describeValue(value)} is no result of it`, () => {
        expectRefusal(() => call(fixture, value), argument, 'TypeError', 'ERR_INVALID_RETURN_VALUE');
      });
    }
  }
});

// Coverage

const isClass = (value: unknown): value is new (...args: never[]) => object =>
  typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));

// Whether a function names parameters; `length` counts only those without a default.
function hasParameters(callable: (...args: never[]) => unknown): boolean {
  const text = Function.prototype.toString.call(callable);
  if (text.includes('[native code]')) return false;
  let source = text;
  if (isClass(callable)) {
    const at = text.search(/\bconstructor\s*\(/);
    if (at === -1) {
      const parent: unknown = Object.getPrototypeOf(callable);
      return typeof parent === 'function' && parent !== Function.prototype && hasParameters(parent as never);
    }
    source = text.slice(at);
  }
  return !/^[^(]*\(\s*\)/.test(source);
}

// The public methods and setters of a class that it or a class of the library above it defines.
function methodsOf(type: new (...args: never[]) => object): Map<string, (...args: never[]) => unknown> {
  const methods = new Map<string, (...args: never[]) => unknown>();
  const add = (holder: object): void => {
    for (const [name, { value, set }] of Object.entries(Object.getOwnPropertyDescriptors(holder))) {
      const method: unknown = set ?? value;
      if (name === 'constructor' || name.startsWith('_') || typeof method !== 'function') continue;
      if (!methods.has(name)) methods.set(name, method as (...args: never[]) => unknown);
    }
  };
  const builtIn = [Object.prototype, Error.prototype, Promise.prototype] as object[];
  for (let at = type.prototype as object; !builtIn.includes(at); at = Object.getPrototypeOf(at) as object) {
    add(at);
  }
  return methods;
}

function publicFunctions(): string[] {
  const names: string[] = [];
  for (const [name, value] of Object.entries(evloop) as [string, unknown][]) {
    if (typeof value !== 'function') continue;
    if (hasParameters(value as never)) names.push(name);
    if (!isClass(value)) continue;
    for (const [method, callable] of methodsOf(value)) {
      if (hasParameters(callable)) names.push(`${name}.${method}`);
    }
    for (const [method, { value: callable }] of Object.entries(Object.getOwnPropertyDescriptors(value))) {
      if (typeof callable === 'function' && hasParameters(callable as never)) names.push(`${name}.${method}`);
    }
  }
  return names;
}

// A method that a subclass inherits is the same function, and tested once.
const inherited: Record<string, string> = {
  Task: 'Future',
  Future: 'Future',
  LifoQueue: 'Queue',
  PriorityQueue: 'Queue',
};

function isCovered(name: string): boolean {
  if (byName.has(name) || name in takesEverything) return true;
  const [type, method] = name.split('.');
  const parent = inherited[type!];
  if (method === undefined || parent === undefined) return false;
  const prototypeOf = (name: string): any => (evloop as any)[name].prototype;
  const same = prototypeOf(type!)[method] === prototypeOf(parent)[method];
  return same && (byName.has(`${parent}.${method}`) || `${parent}.${method}` in takesEverything);
}

test('the table knows every public function with parameters', () => {
  const missing = publicFunctions().filter((name) => !isCovered(name));
  expect(missing, 'add them to the table of this file').toEqual([]);
});

test('the table knows nothing that is not there', () => {
  const known = new Set(publicFunctions());
  const unknown = [...byName.keys(), ...Object.keys(takesEverything)].filter((name) => !known.has(name));
  expect(unknown).toEqual([]);
});

test('the search finds functions that the table would have to name', () => {
  const found = publicFunctions();
  expect(found).toEqual(
    expect.arrayContaining(['EventLoop', 'EventLoop.callSoon', 'Stream.read', 'sleep', 'Runner']),
  );
  expect(found).not.toContain('EventLoop.stop');
  expect(new FifoPolicy().size).toBe(0);
});
