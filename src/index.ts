// The public face: names and nothing else.
export { AsyncDisposableStack } from './base/async-disposable-stack.js';
export {
  BrokenResourceError,
  BrokenBarrierError,
  CancelledError,
  ClosedResourceError,
  EndOfChannel,
  FatalError,
  IncompleteReadError,
  InvalidStateError,
  isCancelled,
  LimitOverrunError,
  LoopClosedError,
  QueueEmpty,
  QueueFull,
  QueueShutDown,
  SystemError,
  TimeoutError,
  WouldBlock,
} from './base/errors.js';
export { catchStar, ExceptionGroup, type ErrorCondition, type StarHandlers } from './base/exception-group.js';
export type { Clock } from './core/clock.js';
export { captureContext, type ContextSnapshot } from './core/context.js';
export type { ExceptionContext } from './core/exception.js';
export { Handle } from './core/handle.js';
export type { ExceptionHandler, LoopOptions, SlowCallback } from './core/loop.js';
export { FifoPolicy, type SchedulingPolicy } from './core/policy.js';
export type { RemoteResult } from './core/remote-calls.js';
export { LoopRemote, type RemoteFunctions, type RemoteHandle } from './core/remote.js';
export type { Resolver } from './core/resolver.js';
export type { LoopStatistics } from './core/statistics.js';
export { TimerHandle } from './core/timers.js';
export { EventLoop, type SwallowedCancel } from './event-loop.js';
export type {
  AddressAndPort,
  AddressFlag,
  AddressInfo,
  AddressOptions,
  NameFlag,
  NameInfo,
  SocketType,
} from './io/address-query.js';
export type { Writable } from './io/bytes.js';
export type { ConnectOptions, TcpConnectOptions, UnixConnectOptions } from './io/connect-options.js';
export type { DatagramAddress } from './io/datagram-address.js';
export { DatagramTransport, type DatagramProtocol } from './io/datagram-protocol.js';
export type { DuplexOptions, StreamDuplex } from './io/duplex.js';
export type { ConnectionInfo, InternetAddress, SocketAddress, UnixAddress } from './io/endpoint.js';
export type { StreamOptions } from './io/limits.js';
export { listenFds } from './io/listen-fds.js';
export type {
  DescriptorListenOptions,
  ListenOptions,
  TcpListenOptions,
  UnixListenOptions,
} from './io/listening.js';
export type { NodeConnection } from './io/node-connection.js';
export { connect, fromNodeSocket, listen, nodeConnection, streamPair } from './io/open.js';
export { Transport, type AnyProtocol, type BufferedProtocol, type Protocol } from './io/protocol.js';
export { requestScope, type Requester } from './io/request-scope.js';
export type { OpenFile, SendFileOptions } from './io/send-file.js';
export { Server, type ConnectionHandler } from './io/server.js';
export { RawSockets, type RawSocketOptions, type SocketTarget } from './io/sock.js';
export { stderr, stdin, stdout } from './io/standard.js';
export { Stream } from './io/stream.js';
export type { TcpOptions } from './io/tcp-options.js';
export type { TlsInfo } from './io/tls-endpoint.js';
export type { StartTlsOptions, TlsClientOptions, TlsServerOptions, TlsTimeouts } from './io/tls-options.js';
export type { DatagramOptions, UdpEnd, UdpOptions } from './io/udp-options.js';
export { udp, UdpSocket, type Datagram, type UdpStatistics } from './io/udp.js';
export type { WebStreams } from './io/web-streams.js';
export type { CallbackApp, FastifyApp, FetchApp, Servable } from './node/servable.js';
export { serve, Service, type ServeOptions, type ServiceState, type ShutdownOptions } from './node/serve.js';
export { run, Runner, type RunnerRunOptions, type RunOptions } from './run.js';
export { Barrier, type BarrierState, type BarrierStatistics } from './sync/barrier.js';
export { CapacityLimiter, type CapacityLimiterStatistics } from './sync/capacity-limiter.js';
export { channel, Receiver, Sender, type Channel, type ChannelStatistics } from './sync/channel.js';
export { Condition, type ConditionStatistics, type Predicate, type Truthy } from './sync/condition.js';
export { Event, Event as AsyncEvent, type EventStatistics } from './sync/event.js';
export { LifoQueue } from './sync/lifo-queue.js';
export { Lock, type LockOptions, type LockStatistics } from './sync/lock.js';
export { PriorityQueue, type PriorityQueueOptions } from './sync/priority-queue.js';
export {
  Queue,
  type OverflowPolicy,
  type QueueOptions,
  type QueueShutdownOptions,
  type QueueStatistics,
} from './sync/queue.js';
export type { Releaser } from './sync/releaser.js';
export { BoundedSemaphore, Semaphore, type SemaphoreStatistics } from './sync/semaphore.js';
export { asCompleted, type AsCompleted, type AsCompletedOptions, type Running } from './task/as-completed.js';
export type { Awaitable, Operation } from './task/awaitable.js';
export type { Body } from './task/body.js';
export { cancelScope, cleanup, failAfter, moveOnAfter } from './task/cancel-scope.js';
export { closing, Closing } from './task/closing.js';
export type { TaskFactory } from './task/create.js';
export { createTask, currentTask } from './task/current.js';
export { currentDeadline, decodeDeadline, encodeDeadline } from './task/deadline.js';
export { ensureFuture, type Joinable, type Joined } from './task/ensure-future.js';
export { fromSignal } from './task/from-signal.js';
export { Future } from './task/future.js';
export { gather, type Gathered, type GatheredOrFailed, type GatherOptions } from './task/gather.js';
export { interval, Interval, type IntervalOptions, type MissedTicks } from './task/interval.js';
export { mapConcurrent, type MapConcurrentOptions } from './task/map-concurrent.js';
export { once, type OnceOptions } from './task/once.js';
export { firstSuccess, race } from './task/race.js';
export { CancelScope, type CancelScopeOptions } from './task/scope.js';
export { shield } from './task/shield.js';
export { sleep } from './task/sleep.js';
export { staggeredRace, type CoroutineFunction } from './task/staggered-race.js';
export { Completed, TaskGroup, taskGroup, type StartBody, type TaskGroupOptions } from './task/task-group.js';
export type { TaskOptions } from './task/task-options.js';
export { Task, type Coroutine } from './task/task.js';
export { Timeout, timeout, timeoutAt, type TimeoutOptions } from './task/timeout.js';
export { TaskTracker } from './task/tracker.js';
export { waitFor } from './task/wait-for.js';
export { wait, type ReturnWhen, type WaitOptions, type WaitResult } from './task/wait.js';
export type { WrapOptions } from './task/wrap.js';
