// What `npm start` and `npm run start:echo` are told.
import process from 'node:process';
import { parseArgs } from 'node:util';

const DEFAULT_PORT = 4000;
const LONGEST_TEST_S = 86_400;

/**
 * @param {string} name
 * @param {string | undefined} text
 * @param {string} expected
 * @param {(value: number) => boolean} isRight
 */
function toNumber(name, text, expected, isRight) {
  if (text === undefined) return null;
  const value = text.trim() === '' ? NaN : Number(text);
  if (!isRight(value)) throw new RangeError(`${name}: expected ${expected}, got '${text}'`);
  return value;
}

function read() {
  const { values } = parseArgs({ options: { port: { type: 'string' }, 'self-test': { type: 'string' } } });
  const isPort = (/** @type {number} */ value) => Number.isInteger(value) && value >= 0 && value <= 65_535;
  const isDuration = (/** @type {number} */ value) => value > 0 && value <= LONGEST_TEST_S;
  const duration = `a number of seconds above 0 and up to ${LONGEST_TEST_S}`;
  return {
    port: toNumber('--port', values.port, 'an integer from 0 to 65535', isPort) ?? DEFAULT_PORT,
    testSeconds: toNumber('--self-test', values['self-test'], duration, isDuration),
  };
}

/**
 * The arguments of this process; it ends with code 2 when they make no sense.
 *
 * @param {string} command
 */
export function startArguments(command) {
  try {
    return read();
  } catch (error) {
    console.error(/** @type {Error} */ (error).message);
    console.error(`usage: ${command} -- [--port N] [--self-test SECONDS]`);
    return process.exit(2);
  }
}
