// Connections and pipes that somebody else has opened, by the number of their descriptor.
import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs';
import { constants as os } from 'node:os';
import { InvalidStateError, SystemError, systemError } from '../base/errors.js';
import { validateDescriptor, validateFunction, validateObject } from '../base/validate.js';
import { captureContext } from '../core/context.js';
import type { LoopCore } from '../core/loop.js';
import { abi } from '../native/abi.js';
import {
  ADOPT_READ_END,
  ADOPT_SHARED,
  ADOPT_SOCKET,
  ADOPT_WRITE_END,
  type SlotRef,
} from '../native/binding.js';
import { Future } from '../task/future.js';
import type { Carrier } from './carrier.js';
import { Endpoint } from './endpoint.js';
import { bufferLimits, validateStreamOptions, type StreamOptions } from './limits.js';
import { makeProtocol, Transport, type AnyProtocol } from './protocol.js';
import { Stream } from './stream.js';

/** The end of a pipe, or a device, that is read. */
class ReadEnd extends Endpoint {
  override get isWritable(): boolean {
    return false;
  }

  // There is no other direction.
  override shutdown(): void {}
}

/** The end of a pipe, or a device, that is written. */
class WriteEnd extends Endpoint {
  override shutdown(): void {
    this.close();
  }

  // Nobody reads any more: what is unsent then fails, and otherwise it is an ordinary close.
  protected override _onEnd(): void {
    super._onEnd();
    this.close();
  }
}

function adopt(loop: LoopCore, fd: number, adoption: number): SlotRef {
  loop._openSlabs();
  const index = loop._native.adopt(fd, adoption);
  if (index < 0) throw refusal(index, fd);
  return { index, generation: loop._rings.control[abi.CTL_RESULT_GENERATION]! };
}

function refusal(status: number, fd: number): Error {
  const error = systemError(status, 'adopt');
  if (error.code !== 'EEXIST') return error;
  return new InvalidStateError(`The descriptor ${String(fd)} is used or watched by this loop already`);
}

function adoptEndpoint(loop: LoopCore, fd: number): Endpoint {
  return new Endpoint(loop, adopt(loop, fd, ADOPT_SOCKET));
}

type End = typeof ADOPT_READ_END | typeof ADOPT_WRITE_END;

// The kinds that asyncio takes as well.
function checkPipe(status: Stats, fd: number): void {
  if (status.isFIFO() || status.isSocket() || status.isCharacterDevice()) return;
  throw new SystemError(
    -os.errno.EINVAL,
    'adopt',
    {},
    `only pipes, sockets and character devices can be streamed, regular files are always ready (descriptor ${String(fd)})`,
  );
}

function adoptPipe(loop: LoopCore, fd: number, end: End): Endpoint {
  validateDescriptor('fd', fd);
  const status = fstatSync(fd);
  checkPipe(status, fd);
  if (status.isSocket()) return endOf(loop, adopt(loop, fd, ADOPT_SOCKET), end);
  return endOf(loop, adopt(loop, fd, end), end);
}

function endOf(loop: LoopCore, slot: SlotRef, end: End): Endpoint {
  return end === ADOPT_READ_END ? new ReadEnd(loop, slot) : new WriteEnd(loop, slot);
}

// The description of a standard stream is shared with other processes, which must not find it non-blocking.
function adoptStandard(loop: LoopCore, fd: number, end: End): Endpoint {
  const status = fstatSync(fd);
  checkPipe(status, fd);
  if (status.isSocket()) return endOf(loop, adopt(loop, fd, ADOPT_SOCKET | ADOPT_SHARED), end);
  const access = end === ADOPT_READ_END ? constants.O_RDONLY : constants.O_WRONLY;
  const flags = access | constants.O_NONBLOCK | constants.O_NOCTTY;
  const own = openSync(`/proc/self/fd/${String(fd)}`, flags);
  try {
    return endOf(loop, adopt(loop, own, end), end);
  } catch (error) {
    closeSync(own);
    throw error;
  }
}

function validate(options: StreamOptions): void {
  validateObject('options', options);
  validateStreamOptions(options);
}

/** See `EventLoop.adoptSocket`. @internal */
export function adoptSocket(loop: LoopCore, fd: number, options: StreamOptions): Stream {
  validateDescriptor('fd', fd);
  validate(options);
  return new Stream(adoptEndpoint(loop, fd), bufferLimits(options));
}

/** See `EventLoop.readPipe` and `writePipe`. @internal */
export function streamPipe(
  loop: LoopCore,
  fd: number,
  end: 'read' | 'write',
  options: StreamOptions,
): Stream {
  validate(options);
  return new Stream(adoptPipe(loop, fd, endNumber(end)), bufferLimits(options));
}

/** See `stdin`, `stdout` and `stderr` of the package. @internal */
export function streamStandard(loop: LoopCore, fd: 0 | 1 | 2, options: StreamOptions): Stream {
  validate(options);
  const end = fd === 0 ? ADOPT_READ_END : ADOPT_WRITE_END;
  return new Stream(adoptStandard(loop, fd, end), bufferLimits(options));
}

function endNumber(end: 'read' | 'write'): End {
  return end === 'read' ? ADOPT_READ_END : ADOPT_WRITE_END;
}

/** See `EventLoop.connectAcceptedSocket`. @internal */
export function connectAccepted<P extends AnyProtocol>(
  loop: LoopCore,
  factory: () => P,
  options: StreamOptions & { fd: number },
): Future<[Transport, P]> {
  validateFunction('protocolFactory', factory);
  validate(options);
  validateDescriptor('options.fd', options.fd);
  return attach(loop, factory, options, () => adoptEndpoint(loop, options.fd));
}

/** See `EventLoop.connectReadPipe` and `connectWritePipe`. @internal */
export function connectPipe<P extends AnyProtocol>(
  loop: LoopCore,
  factory: () => P,
  fd: number,
  end: 'read' | 'write',
): Future<[Transport, P]> {
  validateFunction('protocolFactory', factory);
  validateDescriptor('fd', fd);
  return attach(loop, factory, {}, () => adoptPipe(loop, fd, endNumber(end)));
}

function attach<P extends AnyProtocol>(
  loop: LoopCore,
  factory: () => P,
  options: StreamOptions,
  open: () => Carrier,
): Future<[Transport, P]> {
  const context = captureContext();
  const attached = new Future<[Transport, P]>(loop);
  try {
    // Made first: what it throws leaves the descriptor with the caller.
    const protocol = makeProtocol(factory, context);
    const transport = new Transport(open(), protocol, context, bufferLimits(options));
    transport._begin();
    attached.setResult([transport, protocol]);
  } catch (error) {
    attached.setException(error);
  }
  return attached;
}
