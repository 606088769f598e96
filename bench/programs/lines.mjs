// Splits received bytes into newline-terminated requests, for both servers of the pipelining claim.

const NEWLINE = 10;

/** Keeps the beginning of a request whose end has not come yet. */
export class Lines {
  /** @type {Buffer | null} */
  #rest = null;

  /**
   * @param {Buffer} chunk
   * @param {(line: Buffer) => void} onLine called with each whole request, its newline included
   */
  push(chunk, onLine) {
    let begin = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, begin)) {
      onLine(this.#complete(chunk.subarray(begin, end + 1)));
      begin = end + 1;
    }
    if (begin < chunk.length) this.#rest = this.#complete(chunk.subarray(begin));
  }

  /** @param {Buffer} part */
  #complete(part) {
    const rest = this.#rest;
    if (rest === null) return part;
    this.#rest = null;
    return Buffer.concat([rest, part]);
  }
}
