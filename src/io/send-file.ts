// Sends a file over a connection: by the kernel where that can, else by reading and writing.
import { fstatSync, read } from 'node:fs';
import { constants } from 'node:os';
import { promisify } from 'node:util';
import { connectionLost, invalidArgType, systemError } from '../base/errors.js';
import { validateDescriptor, validateInteger, validateObject } from '../base/validate.js';
import { binding } from '../native/load.js';
import type { Future } from '../task/future.js';
import type { Steps } from '../task/operation.js';
import { sleepOn } from '../task/sleep.js';
import { wrapOn } from '../task/wrap.js';
import type { Carrier } from './carrier.js';

/** An open file: its descriptor, or what has one, as a `FileHandle` of `node:fs/promises`. */
export type OpenFile = number | { readonly fd: number };

/** Which part of a file to send. */
export interface SendFileOptions {
  /** Where to begin, bytes from the beginning of the file, 0 or more. @defaultValue 0 */
  offset?: number;
  /** At most so many bytes, 0 or more. @defaultValue up to the end of the file */
  count?: number;
}

// What one system call may send before others get their turn.
const SLICE_BYTES = 1 << 20;
const COPY_BYTES = 1 << 16;
// What sendfile(2) answers for files that it cannot send.
const UNSUPPORTED: readonly number[] = [
  -constants.errno.EINVAL,
  -constants.errno.ENOSYS,
  -constants.errno.EOPNOTSUPP,
];

const readFile = promisify(read);

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` @internal */
export function validateSendFile(file: OpenFile, options: SendFileOptions): number {
  const fd: unknown = typeof file === 'object' && (file as unknown) !== null ? file.fd : file;
  if (typeof fd !== 'number') throw invalidArgType('file', 'a descriptor or an open file', file);
  validateDescriptor('file', fd);
  validateObject('options', options);
  if (options.offset !== undefined) validateInteger('options.offset', options.offset, 0);
  if (options.count !== undefined) validateInteger('options.count', options.count, 0);
  return fd;
}

/**
 * One file on its way; what carries its bytes belongs to it until it is through.
 *
 * @internal
 */
export class FileSender {
  readonly #carrier: Carrier;
  readonly #waitForRoom: () => Future<void>;
  readonly #fd: number;
  readonly #begin: number;
  readonly #count: number;
  readonly #isRegular: boolean;
  #sent = 0;

  /** @throws SystemError `EBADF` - there is no such descriptor. */
  constructor(carrier: Carrier, waitForRoom: () => Future<void>, fd: number, options: SendFileOptions) {
    this.#carrier = carrier;
    this.#waitForRoom = waitForRoom;
    this.#fd = fd;
    this.#begin = options.offset ?? 0;
    this.#count = options.count ?? Infinity;
    this.#isRegular = fstatSync(fd).isFile();
  }

  /** How many bytes were sent. */
  *steps(): Steps<number> {
    try {
      yield* this.#drain();
      if (!(yield* this.#sendByKernel())) yield* this.#copy();
      return this.#sent;
    } finally {
      // Whoever reads on finds what was not sent. A pipe has moved by itself.
      if (this.#isRegular) binding.seek(this.#fd, this.#begin + this.#sent);
    }
  }

  #check(): void {
    const { error, isClosing } = this.#carrier;
    if (error !== null) throw error;
    if (isClosing) throw connectionLost();
  }

  // The kernel must not overtake what was written before.
  *#drain(): Steps<void> {
    const carrier = this.#carrier;
    carrier.flush();
    while (carrier.bufferedBytes > 0) yield* this.#waitForRoom();
  }

  // False: it cannot, and nothing was sent.
  *#sendByKernel(): Steps<boolean> {
    const carrier = this.#carrier;
    if (!this.#isRegular || carrier.sendFile === undefined) return false;
    while (this.#sent < this.#count) {
      this.#check();
      const size = Math.min(this.#count - this.#sent, SLICE_BYTES);
      const result = carrier.sendFile(this.#fd, this.#begin + this.#sent, size);
      if (result === 0) break;
      if (result > 0) {
        this.#sent += result;
        yield* sleepOn(carrier.loop, 0, undefined);
      } else if (result === -constants.errno.EAGAIN) {
        yield* this.#waitForRoom();
      } else {
        if (this.#sent === 0 && UNSUPPORTED.includes(result)) return false;
        throw systemError(result, 'sendfile');
      }
    }
    return true;
  }

  *#copy(): Steps<void> {
    const carrier = this.#carrier;
    while (this.#sent < this.#count) {
      this.#check();
      // The stream may keep a reference to what it is given.
      const buffer = Buffer.allocUnsafeSlow(Math.min(this.#count - this.#sent, COPY_BYTES));
      const position = this.#isRegular ? this.#begin + this.#sent : null;
      const { bytesRead } = yield* wrapOn(
        carrier.loop,
        readFile(this.#fd, buffer, 0, buffer.length, position),
      );
      if (bytesRead === 0) return;
      this.#check();
      carrier.write(buffer.subarray(0, bytesRead));
      this.#sent += bytesRead;
      yield* this.#drain();
    }
  }
}
