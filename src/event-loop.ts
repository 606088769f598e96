// The loop that users make: scheduling from the core, with futures and tasks.
import { FatalError, InvalidStateError, invalidArgType } from './base/errors.js';
import { validateFunction } from './base/validate.js';
import { LoopCore, runningLoop, type LoopOptions } from './core/loop.js';
import { openMailbox, type RemoteFunctions, type RemoteHandle } from './core/remote.js';
import { adoptSocket, connectAccepted, connectPipe, streamPipe } from './io/adopt.js';
import type { AddressAndPort, AddressInfo, AddressOptions, NameFlag, NameInfo } from './io/address-query.js';
import type { ConnectOptions } from './io/connect-options.js';
import { connectProtocol } from './io/connect.js';
import {
  openDatagramEndpoint,
  type DatagramProtocol,
  type DatagramTransport,
} from './io/datagram-protocol.js';
import type { StreamOptions } from './io/limits.js';
import type { ListenOptions } from './io/listening.js';
import { getAddrInfoOn, getNameInfoOn } from './io/names.js';
import { startTransportTls, type AnyProtocol, type Transport } from './io/protocol.js';
import { serveProtocols, type Server } from './io/server.js';
import { RawSockets } from './io/sock.js';
import type { Stream } from './io/stream.js';
import type { DatagramOptions } from './io/udp-options.js';
import { addWatcher, notifyClosing, removeWatcher, waitUntilReady } from './io/watch.js';
import type { StartTlsOptions } from './io/tls-options.js';
import { shutdownGenerators, trackGenerator } from './task/async-generators.js';
import type { Awaitable } from './task/awaitable.js';
import { closeCoroutine, isGenerator, isThenable } from './task/coroutine.js';
import { createTaskOn, taskRoom, type TaskFactory } from './task/create.js';
import { Future } from './task/future.js';
import { RemoteTasks } from './task/remote-tasks.js';
import { sleepOn } from './task/sleep.js';
import type { TaskOptions } from './task/task-options.js';
import type { Coroutine, Task } from './task/task.js';
import { wrapOn, type WrapOptions } from './task/wrap.js';

/** Passed to `onSwallowedCancel`. */
export interface SwallowedCancel {
  task: Task<unknown>;
  /** What was passed to `cancel()`. */
  reason: unknown;
  /** Where the task waited again; in debug mode, unless it only yielded. */
  site?: string;
}

/**
 * An event loop with asyncio's model, a guest of Node's own loop.
 *
 * One loop runs per thread. While it runs, everything else in the process goes on as usual.
 *
 * @example
 * ```ts
 * const loop = new EventLoop();
 * console.log(await loop.runUntilComplete(async () => await sleep(10, 'done')));
 * loop.close();
 * ```
 * @source CPython 3.13 asyncio/base_events.py `BaseEventLoop`
 */
export class EventLoop extends LoopCore {
  #sock: RawSockets | null = null;

  constructor(options?: LoopOptions) {
    super(options);
    taskRoom(this);
  }

  /**
   * The loop that runs in this thread.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - none does.
   * @source CPython 3.13 `asyncio.get_running_loop`
   */
  static running(): EventLoop {
    const loop = EventLoop.current();
    if (loop === undefined) throw new InvalidStateError('No event loop is running');
    return loop;
  }

  /** The loop that runs in this thread, or undefined. */
  static current(): EventLoop | undefined {
    const loop = runningLoop();
    return loop instanceof EventLoop ? loop : undefined;
  }

  // Futures and tasks

  /**
   * A new pending future.
   *
   * Suspends: never.
   *
   * @source CPython 3.13 `loop.create_future`
   */
  createFuture<T = void>(): Future<T> {
    return new Future<T>(this);
  }

  /**
   * Starts a coroutine as a task; its first step is in the next turn, or in the first one.
   *
   * Suspends: never.
   *
   * @param coroutine - A generator, a generator function or an async function; never a promise. A
   *   generator is closed when this throws.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - it is no coroutine, or an option is wrong.
   * @throws TypeError `ERR_INVALID_RETURN_VALUE` - what the task factory made is no task.
   * @throws {@link LoopClosedError} `ERR_LOOP_CLOSED` - the loop is closed.
   * @example
   * ```ts
   * const task = loop.createTask(async (signal) => await fetch(url, { signal }), { name: 'fetch' });
   * task.cancel();
   * ```
   * @source CPython 3.13 `loop.create_task`
   */
  createTask<T>(coroutine: Coroutine<T>, options?: TaskOptions): Task<T> {
    return createTaskOn(this, coroutine, options);
  }

  /**
   * Starts a coroutine that nobody waits for: what it throws reaches the exception handler at once.
   *
   * Suspends: never.
   *
   * @throws As {@link EventLoop.createTask}.
   * @example
   * ```ts
   * loop.spawnDetached(async () => {
   *   await sleep(10);
   * });
   * ```
   */
  spawnDetached(coroutine: Coroutine<unknown>, options?: TaskOptions): Task<unknown> {
    const task = this.createTask(coroutine, options);
    task.addDoneCallback(() => {
      const exception = task.cancelled() ? null : task.exception();
      if (exception === null) return;
      this.callExceptionHandler({ message: 'Unhandled exception in a detached task', exception, task });
    });
    return task;
  }

  /**
   * Sets what makes tasks; null restores the built-in way, `new Task(loop, coroutine, options)`.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `factory` is no function.
   * @source CPython 3.13 `loop.set_task_factory`
   */
  setTaskFactory(factory: TaskFactory | null): void {
    if (factory !== null) validateFunction('factory', factory);
    taskRoom(this).factory = factory;
  }

  /** The factory set last, or null. */
  getTaskFactory(): TaskFactory | null {
    return taskRoom(this).factory;
  }

  /**
   * Hears of tasks that swallow a cancellation: they catch the {@link CancelledError}, wait again without
   * `uncancel()`, and then end with a value or go on for another second. Waits in a `finally` are
   * no more than that, as the error goes on behind them; one that takes longer than a second should be
   * in a shield. Each task is told of once. Null, as at first, makes it a warning of the process
   * with the code `EVLOOP_SWALLOWED_CANCEL`; in debug mode it goes to the exception handler.
   *
   * Suspends: never.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - neither a function nor null.
   */
  get onSwallowedCancel(): ((info: SwallowedCancel) => void) | null {
    return taskRoom(this).onSwallowedCancel as ((info: SwallowedCancel) => void) | null;
  }

  set onSwallowedCancel(listener: ((info: SwallowedCancel) => void) | null) {
    if (listener !== null) validateFunction('onSwallowedCancel', listener);
    taskRoom(this).onSwallowedCancel = listener;
  }

  /** The tasks that are not done, the oldest first; a copy. */
  allTasks(): ReadonlySet<Task<unknown>> {
    return new Set(taskRoom(this).tasks.snapshot());
  }

  /**
   * A future of what a foreign promise gives, which can be cancelled: then nobody waits for the promise
   * any more, and a late rejection of it is of no consequence. A future of another loop is bridged,
   * and cancelled with the wrapper; one of this loop is returned as it is.
   *
   * Suspends: never.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `promise` is no thenable, or an option is wrong.
   * @example
   * ```ts
   * const response = await loop.wrap(fetch(url));
   * ```
   * @source CPython 3.13 `asyncio.wrap_future`
   */
  wrap<T>(promise: PromiseLike<T>, options?: WrapOptions): Future<T> {
    return wrapOn(this, promise, options);
  }

  /**
   * Lets one turn of the loop pass: everything that is ready runs, and I/O is polled. In a generator a
   * bare `yield` does the same.
   *
   * Suspends: always. A cancel point.
   */
  yield(): Awaitable<void> {
    return sleepOn(this, 0, undefined);
  }

  // Asynchronous generators

  /**
   * Sees to it that an asynchronous generator comes to its `finally`, also if nobody iterates it to its
   * end: when what this returns is garbage collected, or at the latest in {@link shutdownAsyncgens}.
   *
   * Suspends: never.
   *
   * @returns The generator to use in place of `generator`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - it is no asynchronous generator.
   * @throws {@link LoopClosedError} `ERR_LOOP_CLOSED` - the loop is closed.
   * @example
   * ```ts
   * async function* lines() {
   *   try {
   *     yield 'first';
   *   } finally {
   *     console.log('closed');
   *   }
   * }
   * console.log(await loop.track(lines()).next());
   * await loop.shutdownAsyncgens();
   * ```
   * @source CPython 3.13 `sys.set_asyncgen_hooks` as asyncio sets them. Differs: by request, as JavaScript
   *   has no such hooks.
   */
  track<T, R, N>(generator: AsyncGenerator<T, R, N>): AsyncGenerator<T, R, N> {
    this._checkOpen();
    return trackGenerator(this, generator);
  }

  /**
   * Closes every generator of {@link track} that has not ended, and waits until their `finally` is
   * through. What they throw goes to the exception handler. `run()` does this at its end.
   *
   * Suspends: while there are any. A cancel point, which cancels their `finally`.
   *
   * @source CPython 3.13 `loop.shutdown_asyncgens`
   */
  shutdownAsyncgens(): Awaitable<void> {
    this._checkOpen();
    return shutdownGenerators(this);
  }

  // Connections at the protocol level

  /**
   * Opens a connection and tells a protocol about it.
   *
   * Suspends: always. A cancel point; cancelling closes the socket.
   *
   * @param protocolFactory - Makes the protocol.
   * @returns The transport and the protocol.
   * @throws As `connect()`.
   * @source CPython 3.13 `loop.create_connection`, `create_unix_connection`
   */
  createConnection<P extends AnyProtocol>(
    protocolFactory: () => P,
    options: ConnectOptions,
  ): Future<[Transport, P]> {
    this._checkOpen();
    return connectProtocol(this, protocolFactory, options);
  }

  /**
   * Listens and makes a protocol for each connection.
   *
   * Suspends: always. A cancel point.
   *
   * @param protocolFactory - Makes the protocol of one connection.
   * @returns The server, once it listens.
   * @throws As `listen()`.
   * @source CPython 3.13 `loop.create_server`, `create_unix_server`
   */
  createServer(protocolFactory: () => AnyProtocol, options: ListenOptions = {}): Future<Server> {
    this._checkOpen();
    return serveProtocols(this, protocolFactory, options);
  }

  /**
   * Opens a UDP socket and tells a protocol about it.
   *
   * Suspends: always. A cancel point; cancelling closes the socket.
   *
   * @param protocolFactory - Makes the protocol.
   * @returns The transport and the protocol.
   * @throws As `udp()`.
   * @source CPython 3.13 `loop.create_datagram_endpoint`
   */
  createDatagramEndpoint<P extends DatagramProtocol>(
    protocolFactory: () => P,
    options: DatagramOptions = {},
  ): Future<[DatagramTransport, P]> {
    this._checkOpen();
    return openDatagramEndpoint(this, protocolFactory, options);
  }

  // Connections and pipes of others

  /**
   * A stream over a connected socket that was opened elsewhere: inherited from the parent process, accepted by
   * systemd, half of a pair. From then on it is the stream's, which closes it; the socket is made non-blocking and
   * close-on-exec.
   *
   * Suspends: never.
   *
   * @param fd - A stream socket, TCP or Unix. It stays the caller's when this throws.
   * @param options - How the stream buffers.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
   * @throws {@link SystemError} `ENOTSOCK`, `EPROTOTYPE`, `ENOTCONN`, `EBADF` - it is no connected stream socket.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - this loop uses or watches it already.
   * @throws {@link LoopClosedError} `ERR_LOOP_CLOSED` - the loop is closed.
   * @example
   * ```ts
   * async function greet(fd: number) {
   *   const stream = loop.adoptSocket(fd);
   *   await stream.send('hello\n');
   *   await stream.close();
   * }
   * ```
   * @source CPython 3.13 `asyncio.open_connection(sock=...)`
   */
  adoptSocket(fd: number, options: StreamOptions = {}): Stream {
    this._checkOpen();
    return adoptSocket(this, fd, options);
  }

  /**
   * Tells a protocol of a connected socket that was opened elsewhere; as {@link adoptSocket}.
   *
   * Suspends: never.
   *
   * @param protocolFactory - Makes the protocol.
   * @returns The transport and the protocol. Rejects where {@link adoptSocket} throws a SystemError, or with what the
   *   factory threw.
   * @throws As {@link adoptSocket}.
   * @source CPython 3.13 `loop.connect_accepted_socket`
   */
  connectAcceptedSocket<P extends AnyProtocol>(
    protocolFactory: () => P,
    options: StreamOptions & { fd: number },
  ): Future<[Transport, P]> {
    this._checkOpen();
    return connectAccepted(this, protocolFactory, options);
  }

  /**
   * A stream that reads a pipe, or a device. From then on it is the stream's, which closes it; it is made
   * non-blocking, also for others who share it.
   *
   * Suspends: never.
   *
   * @param fd - A pipe, FIFO, terminal, other character device, or socket. It stays the caller's when this throws.
   * @param options - How the stream buffers.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
   * @throws {@link SystemError} `EINVAL` - something else, such as a regular file.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - this loop uses or watches it already.
   * @throws {@link LoopClosedError} `ERR_LOOP_CLOSED` - the loop is closed.
   * @example
   * ```ts
   * async function firstLine(fd: number) {
   *   const pipe = loop.readPipe(fd);
   *   console.log(String(await pipe.readLine()));
   *   await pipe.close();
   * }
   * ```
   * @source CPython 3.13 `loop.connect_read_pipe`
   */
  readPipe(fd: number, options: StreamOptions = {}): Stream {
    this._checkOpen();
    return streamPipe(this, fd, 'read', options);
  }

  /**
   * A stream that writes a pipe, or a device; as {@link readPipe}. It closes by itself when nobody reads any more:
   * with `EPIPE` if something was unsent.
   *
   * Suspends: never.
   *
   * @throws As {@link readPipe}.
   * @source CPython 3.13 `loop.connect_write_pipe`
   */
  writePipe(fd: number, options: StreamOptions = {}): Stream {
    this._checkOpen();
    return streamPipe(this, fd, 'write', options);
  }

  /**
   * Tells a protocol what comes through a pipe, or from a device; as {@link readPipe}.
   *
   * Suspends: never.
   *
   * @param protocolFactory - Makes the protocol.
   * @returns The transport and the protocol. Rejects where {@link readPipe} throws a SystemError, or with what the
   *   factory threw.
   * @throws As {@link readPipe}.
   * @source CPython 3.13 `loop.connect_read_pipe`
   */
  connectReadPipe<P extends AnyProtocol>(protocolFactory: () => P, fd: number): Future<[Transport, P]> {
    this._checkOpen();
    return connectPipe(this, protocolFactory, fd, 'read');
  }

  /**
   * Tells a protocol of a pipe, or device, that it may write; as {@link writePipe}.
   *
   * Suspends: never.
   *
   * @param protocolFactory - Makes the protocol.
   * @returns As {@link connectReadPipe}.
   * @throws As {@link readPipe}.
   * @source CPython 3.13 `loop.connect_write_pipe`
   */
  connectWritePipe<P extends AnyProtocol>(protocolFactory: () => P, fd: number): Future<[Transport, P]> {
    this._checkOpen();
    return connectPipe(this, protocolFactory, fd, 'write');
  }

  // Descriptors of others

  /**
   * Calls `callback(...args)` in every turn that finds a descriptor readable, at its end, or broken. What watches it
   * for reading already is replaced. The descriptor stays the caller's: remove its watchers before it is closed.
   *
   * Suspends: never. It counts as something the loop waits for.
   *
   * @param fd - A socket, pipe, terminal or the like.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
   * @throws {@link SystemError} `EPERM` - regular files are always ready; `EBADF` - it is not open.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - a stream of this loop uses it, or somebody waits for it
   *   with {@link readable}.
   * @throws {@link LoopClosedError} `ERR_LOOP_CLOSED` - the loop is closed.
   * @example
   * ```ts
   * function watch(fd: number) {
   *   loop.addReader(fd, () => {
   *     console.log('there is something to read');
   *     loop.removeReader(fd);
   *   });
   * }
   * ```
   * @source CPython 3.13 `loop.add_reader`
   */
  addReader<A extends unknown[]>(fd: number, callback: (...args: A) => unknown, ...args: A): void {
    this._checkOpen();
    addWatcher(this, fd, 'reader', callback, args);
  }

  /**
   * Ends what {@link addReader} began, also a callback that is part of the current batch already.
   *
   * Suspends: never.
   *
   * @returns False if there was no reader.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `fd` is no descriptor.
   * @source CPython 3.13 `loop.remove_reader`
   */
  removeReader(fd: number): boolean {
    return removeWatcher(this, fd, 'reader');
  }

  /**
   * Like {@link addReader}, for turns that find a descriptor writable or broken.
   *
   * @throws As {@link addReader}.
   * @source CPython 3.13 `loop.add_writer`
   */
  addWriter<A extends unknown[]>(fd: number, callback: (...args: A) => unknown, ...args: A): void {
    this._checkOpen();
    addWatcher(this, fd, 'writer', callback, args);
  }

  /**
   * Ends what {@link addWriter} began.
   *
   * @returns False if there was no writer.
   * @throws As {@link removeReader}.
   * @source CPython 3.13 `loop.remove_writer`
   */
  removeWriter(fd: number): boolean {
    return removeWatcher(this, fd, 'writer');
  }

  /**
   * Waits until a descriptor is readable, at its end, or broken.
   *
   * Suspends: always. A cancel point; cancelling ends the watch.
   *
   * @throws As {@link addReader}; also `ERR_INVALID_STATE` where somebody watches it for reading.
   * @throws {@link ClosedResourceError} (rejects) `ERR_CLOSED_RESOURCE` - {@link notifyClosing} was called.
   * @example
   * ```ts
   * async function firstByte(fd: number) {
   *   await loop.readable(fd);
   *   console.log('there is something to read');
   * }
   * ```
   * @source trio `wait_readable`
   */
  readable(fd: number): Future<void> {
    this._checkOpen();
    return waitUntilReady(this, fd, 'reader');
  }

  /**
   * Waits until a descriptor is writable or broken.
   *
   * Suspends: always. A cancel point; cancelling ends the watch.
   *
   * @throws As {@link readable}.
   * @source trio `wait_writable`
   */
  writable(fd: number): Future<void> {
    this._checkOpen();
    return waitUntilReady(this, fd, 'writer');
  }

  /**
   * Says that a descriptor is about to be closed: its watchers are removed, and who waits for it wakes with an error.
   *
   * Suspends: never.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - `fd` is no descriptor.
   * @source trio `notify_closing`
   */
  notifyClosing(fd: number): void {
    notifyClosing(this, fd);
  }

  /**
   * System calls on sockets that are the caller's, which wait where the call would block.
   *
   * @example
   * ```ts
   * const [one, other] = loop.sock.pair();
   * await loop.sock.sendAll(one, 'hello');
   * console.log(String(await loop.sock.recv(other, 100)));
   * loop.sock.close(one);
   * loop.sock.close(other);
   * ```
   * @source CPython 3.13 `loop.sock_recv` and its like. Differs: numbers of descriptors in place of socket objects.
   */
  get sock(): RawSockets {
    return (this.#sock ??= new RawSockets(this));
  }

  // Names

  /**
   * Asks the system for the addresses of a name, see getaddrinfo(3), in a thread of this loop's own:
   * `dnsThreads` of the loop's options says how many there may be. Equal questions at the same time share
   * one look-up.
   *
   * Suspends: unless `host` is numeric. A cancel point; the thread finishes on its own, and nobody hears of it.
   *
   * @param host - A name or numeric address; null for this machine, or with the flag `passive` for every
   *   address of it.
   * @param port - 0 ... 65535, or the name of a service; null for port 0.
   * @returns The addresses in the system's order (RFC 6724), one entry for each type of socket.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
   * @throws {@link LoopClosedError} `ERR_LOOP_CLOSED` - the loop is closed.
   * @throws {@link SystemError} (rejects) `ENOTFOUND`, `EAI_AGAIN` ... - as `dns.lookup()` of Node, with
   *   the `hostname`.
   * @example
   * ```ts
   * const [first] = await loop.getAddrInfo('localhost', 80, { type: 'stream' });
   * console.log(first?.address, first?.port);
   * ```
   * @source CPython 3.13 `loop.getaddrinfo`. Differs: numeric hosts need no thread.
   */
  getAddrInfo(
    host: string | null,
    port: number | string | null = null,
    options: AddressOptions = {},
  ): Future<AddressInfo[]> {
    this._checkOpen();
    return getAddrInfoOn(this, host, port, options);
  }

  /**
   * Asks the system for the names of an address and a port, see getnameinfo(3), as {@link getAddrInfo}.
   *
   * Suspends: unless both are to be numeric. A cancel point.
   *
   * @param where - A numeric address and its port.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
   * @throws {@link LoopClosedError} `ERR_LOOP_CLOSED` - the loop is closed.
   * @throws {@link SystemError} (rejects) `ENOTFOUND` ... - there is no name and the flag `nameRequired`.
   * @example
   * ```ts
   * const { host } = await loop.getNameInfo({ address: '127.0.0.1', port: 80 });
   * console.log(host);
   * ```
   * @source CPython 3.13 `loop.getnameinfo`
   */
  getNameInfo(where: AddressAndPort, flags: readonly NameFlag[] = []): Future<NameInfo> {
    this._checkOpen();
    return getNameInfoOn(this, where, flags);
  }

  /**
   * Goes on over TLS with a connection, in place; what it carries from then on is `protocol`'s. Bytes that have
   * arrived and were not delivered are taken for the beginning of the handshake. `connectionMade()` is not called
   * again, and nobody may write until it is over.
   *
   * Suspends: always. A cancel point; cancelling resets the connection.
   *
   * @param options - As of `Stream.startTls()`.
   * @returns The transport, once the handshake is over.
   * @throws As `Stream.startTls()`.
   * @source CPython 3.13 `loop.start_tls`. Differs: the transport stays the same.
   */
  startTls(transport: Transport, protocol: AnyProtocol, options: StartTlsOptions = {}): Future<Transport> {
    this._checkOpen();
    return startTransportTls(this, transport, protocol, options);
  }

  /**
   * Lets worker threads call functions of this loop; send what it returns to a worker and make a
   * {@link LoopRemote} of it there.
   *
   * Suspends: never.
   *
   * @param functions - What may be called, by name. A post is scheduled as by `callSoon`; a call is a task.
   * @param options - `capacityBytes`: size of the mailbox, 1024 ... 2^28; 262144 by default.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` - an argument is wrong.
   * @source CPython 3.13 `loop.call_soon_threadsafe`, `asyncio.run_coroutine_threadsafe`
   */
  createRemote(functions: RemoteFunctions, options?: { capacityBytes?: number }): RemoteHandle {
    this._checkOpen();
    return openMailbox(
      this,
      functions,
      options,
      (names, callbacks) => new RemoteTasks(this, names, callbacks),
    );
  }

  // Running

  /**
   * Runs until {@link LoopCore.stop}.
   *
   * Suspends: always. Rejects with a {@link FatalError} that was thrown.
   *
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - a loop runs in this thread already.
   * @throws {@link LoopClosedError} `ERR_LOOP_CLOSED` - the loop is closed.
   * @source CPython 3.13 `loop.run_forever`
   */
  runForever(): Promise<void> {
    return this._start();
  }

  /**
   * Runs until a coroutine or an awaitable is done, and stops, whatever else is going on.
   *
   * Suspends: always. Rejects with what was thrown.
   *
   * @param work - A coroutine, which becomes a task, or an awaitable or promise.
   * @returns The result of `work`. Rejects with `ERR_INVALID_STATE` if the loop is stopped before.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` - `work` is neither.
   * @throws {@link InvalidStateError} `ERR_INVALID_STATE` - a loop runs in this thread already.
   * @throws {@link LoopClosedError} `ERR_LOOP_CLOSED` - the loop is closed.
   * @source CPython 3.13 `loop.run_until_complete`
   */
  runUntilComplete<T>(work: Coroutine<T> | PromiseLike<T>): Promise<T> {
    if (typeof work !== 'function' && !isGenerator(work) && !isThenable(work)) {
      throw invalidArgType('work', 'a coroutine or an awaitable', work);
    }
    let finished: Promise<void>;
    try {
      finished = this._start();
    } catch (error) {
      closeCoroutine(work);
      throw error;
    }
    return this.#runUntilDone(work, finished);
  }

  async #runUntilDone<T>(work: Coroutine<T> | PromiseLike<T>, finished: Promise<void>): Promise<T> {
    let future: Future<T> | null = null;
    let isOver = false;
    try {
      future = isThenable(work) ? this.wrap(work) : this.createTask(work);
      future.addDoneCallback(() => {
        // A fatal error has stopped the loop already.
        if (!isOver && !isFatal(future!)) this.stop();
      });
    } catch (error) {
      this.stop();
      await finished;
      throw error;
    }
    try {
      await finished;
    } catch (error) {
      // What ended the run is thrown here and needs no other report.
      if (future.done()) future._markRead();
      throw error;
    } finally {
      isOver = true;
    }
    if (!future.done()) throw new InvalidStateError('The event loop stopped before the future was done');
    return future.result();
  }
}

function isFatal(future: Future<unknown>): boolean {
  return !future.cancelled() && future.exception() instanceof FatalError;
}
