// Bytes on their way in and out.
import { invalidArgType } from '../base/errors.js';

/** What can be written. */
export type Writable = string | Uint8Array | ArrayBuffer | DataView;

type BufferMaker = new (memory: ArrayBuffer, offset: number, length: number) => Buffer;

// What Buffer itself makes its instances with; called directly it is twice as fast as Buffer.from().
const FastBuffer: BufferMaker = findMaker();

function findMaker(): BufferMaker {
  const species = (Buffer as unknown as Record<symbol, unknown>)[Symbol.species];
  if (typeof species === 'function' && (species.prototype as unknown) === Buffer.prototype) {
    return species as BufferMaker;
  }
  class ReceivedBytes extends Uint8Array {}
  Object.setPrototypeOf(ReceivedBytes.prototype, Buffer.prototype as object);
  return ReceivedBytes as unknown as BufferMaker;
}

/** The bytes that native left in a slab; the range belongs to the Buffer from now on. @internal */
export function receivedBytes(slab: ArrayBuffer, offset: number, length: number): Buffer {
  return new FastBuffer(slab, offset, length);
}

export const NO_BYTES: Buffer = Buffer.alloc(0);

/**
 * The bytes behind anything but a string.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 */
export function toBytes(name: string, data: Uint8Array | ArrayBuffer | DataView): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  throw invalidArgType(name, 'a string, Uint8Array, DataView or ArrayBuffer', data);
}

// As with a socket of the loop: more than this may be sent by reference.
const COPY_LIMIT_BYTES = 16384;

/**
 * The bytes of a write that waits: whoever wrote few may change them at once.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 * @internal
 */
export function ownBytes(data: Writable): Buffer {
  if (typeof data === 'string') return Buffer.from(data);
  const { buffer, byteOffset, byteLength } = toBytes('data', data);
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  return byteLength <= COPY_LIMIT_BYTES ? Buffer.from(bytes) : bytes;
}
