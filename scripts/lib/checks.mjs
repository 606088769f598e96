// A list of named checks, for scripts that prove something step by step.
import process from 'node:process';

/** Counts what was checked; `end()` prints the line that scripts/test.mjs reads. */
export class Checks {
  #passed = 0;
  #failed = 0;
  #skipped = 0;

  /**
   * @param {string} what
   * @param {boolean} isTrue
   * @param {string} [detail] shown when the check failed
   */
  check(what, isTrue, detail = '') {
    console.log(`${isTrue ? 'ok  ' : 'FAIL'} ${what}`);
    if (isTrue) {
      this.#passed++;
    } else {
      this.#failed++;
      if (detail !== '') console.log(detail);
    }
    return isTrue;
  }

  /**
   * @param {string} what
   * @param {string} reason
   */
  skip(what, reason) {
    console.log(`skip ${what}: ${reason}`);
    this.#skipped++;
  }

  end() {
    console.log(`${this.#passed} passed, ${this.#failed} failed, ${this.#skipped} skipped`);
    process.exitCode = this.#failed === 0 && this.#passed > 0 ? 0 : 1;
  }
}
