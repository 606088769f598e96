// What two ends of a connection tell each other while soak.mjs runs: how many bytes come, whether it may break off, and
// the bytes, each of which says where it belongs.

const HEADER_BYTES = 5;
const MAY_BREAK_OFF = 1;
const LARGEST = 150_000;

/** Mulberry32. @param {number} seed */
export function randomOf(seed) {
  let state = seed | 0;
  return (/** @type {number} */ below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

// The bytes repeat after so many.
const PERIOD = 65_536;
const LARGEST_PIECE = 2 * PERIOD;
const PATTERN = Buffer.from(
  Uint8Array.from({ length: PERIOD + LARGEST_PIECE }, (_, position) => position * 31 + (position >> 8) * 7),
);

/** @param {number} from @param {number} size */
export const content = (from, size) => PATTERN.subarray(from % PERIOD, (from % PERIOD) + size);

/** @param {number} from @param {Buffer} bytes */
export function isContent(from, bytes) {
  for (let at = 0; at < bytes.length; at += LARGEST_PIECE) {
    const piece = bytes.subarray(at, at + LARGEST_PIECE);
    if (!piece.equals(content(from + at, piece.length))) return false;
  }
  return true;
}

/** What one end says. */
export class Speech {
  /** @param {(below: number) => number} random @param {boolean} isMortal whether its process or task may end before it */
  constructor(random, isMortal) {
    this.random = random;
    this.total = random(LARGEST);
    this.breaksOff = random(5) === 0;
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(this.total);
    header[HEADER_BYTES - 1] = isMortal || this.breaksOff ? MAY_BREAK_OFF : 0;
    this.header = header;
    this.sent = 0;
  }

  get isOver() {
    return this.sent === this.total;
  }

  /** The next piece, of a random size. */
  next() {
    const size = Math.min(1 + this.random(30_000), this.total - this.sent);
    this.sent += size;
    return content(this.sent - size, size);
  }
}

/** What the other end is told. */
export class Listener {
  #header = Buffer.alloc(0);
  #total = Infinity;
  #mayBreakOff = true;
  #received = 0;
  #wrong = '';

  /** @param {Buffer} bytes */
  take(bytes) {
    const missing = HEADER_BYTES - this.#header.length;
    if (missing > 0) this.#takeHeader(bytes.subarray(0, missing));
    const rest = bytes.subarray(missing);
    if (!isContent(this.#received, rest)) this.#wrong ||= `a byte behind ${this.#received} is wrong`;
    this.#received += rest.length;
    if (this.#received > this.#total) this.#wrong ||= `more than ${this.#total} bytes came`;
  }

  /** @param {Buffer} bytes */
  #takeHeader(bytes) {
    this.#header = Buffer.concat([this.#header, bytes]);
    if (this.#header.length < HEADER_BYTES) return;
    this.#total = this.#header.readUInt32LE();
    this.#mayBreakOff = this.#header[HEADER_BYTES - 1] === MAY_BREAK_OFF;
  }

  get isComplete() {
    return this.#received === this.#total;
  }

  /** What is wrong once no more comes, or ''. @param {unknown} error why it ended, if it did so with one */
  end(error) {
    if (this.#wrong !== '' || this.#mayBreakOff) return this.#wrong;
    if (error !== null) return String(error);
    return this.isComplete ? '' : `${this.#received} of ${this.#total} bytes came`;
  }
}
