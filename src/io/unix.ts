// Addresses of Unix sockets, and the files that they leave.
import { lstatSync, unlinkSync, type BigIntStats } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { outOfRange } from '../base/errors.js';
import { validateString } from '../base/validate.js';
import type { LoopCore } from '../core/loop.js';
import { abi } from '../native/abi.js';
import { SOCKET_UNIX } from '../native/binding.js';

const { ECONNREFUSED } = constants.errno;

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` @internal */
export function validatePath(value: unknown): asserts value is string {
  validateString('options.path', value);
  if (value !== '' && (isAbstract(value) || !value.includes('\0'))) return;
  throw outOfRange('options.path', 'a path, or an abstract name that begins with NUL', value);
}

function isAbstract(name: string): boolean {
  return name.startsWith('\0');
}

function lookAt(file: string): BigIntStats | undefined {
  return lstatSync(file, { bigint: true, throwIfNoEntry: false });
}

/**
 * Removes the file that a socket has left which is closed by now. It stays when it is none of a socket, and
 * when somebody listens on it: then they see a connection that is reset at once.
 *
 * @returns Whether there was one.
 * @throws Error - the file cannot be removed.
 * @source CPython 3.13 asyncio/unix_events.py `create_unix_server`. Differs: a server that is alive keeps its
 *   file, and a symbolic link is no socket.
 * @internal
 */
export function removeStaleFile(loop: LoopCore, name: string): boolean {
  if (isAbstract(name) || lookAt(name)?.isSocket() !== true) return false;
  const index = loop._native.connect(name, 0, SOCKET_UNIX, 0, '', 0);
  const generation = loop._rings.control[abi.CTL_RESULT_GENERATION]!;
  if (index >= 0) loop._rings.submit(abi.OP_RESET, index, generation, 0, 0);
  if (index !== -ECONNREFUSED) return false;
  unlinkSync(name);
  return true;
}

/** The file of a socket that listens. @internal */
export class SocketFile {
  readonly #path: string;
  readonly #device: bigint;
  readonly #inode: bigint;

  private constructor(file: string, { dev, ino }: BigIntStats) {
    this.#path = file;
    this.#device = dev;
    this.#inode = ino;
  }

  /** Null for an abstract name, which has no file. */
  static of(name: string): SocketFile | null {
    if (isAbstract(name)) return null;
    // The process may change its directory meanwhile.
    const file = path.resolve(name);
    const found = lookAt(file);
    return found === undefined ? null : new SocketFile(file, found);
  }

  /**
   * Removes it, unless another one has its name now. As long as the socket is open no other file can have
   * its number.
   *
   * @throws Error - the system does not allow it.
   */
  remove(): void {
    const found = lookAt(this.#path);
    if (found?.dev === this.#device && found.ino === this.#inode) unlinkSync(this.#path);
  }
}
