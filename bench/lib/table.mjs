// A table of the suite: contenders that do the same work, and what is measured of each.
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { SERVER_CPU } from './machine.mjs';
import { runLoad, runProgram, startServer, watchOthers } from './process.mjs';

/**
 * @typedef {object} Metric
 * @property {string} title
 * @property {string} unit
 * @property {'lower' | 'higher'} [better] `lower` when absent
 * @property {number} [digits] behind the decimal point
 */

/**
 * One measurement of a contender.
 *
 * @typedef {object} Sample
 * @property {Record<string, number>} metrics
 * @property {number} otherShare of one processor, used by programs that are not part of the benchmark
 */

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {boolean} [isGuest] an optional rival from outside of Node
 * @property {(settings: Settings) => Promise<Sample>} sample
 */

/**
 * How much work a sample is; what a key means is the table's business.
 *
 * @typedef {Record<string, number> & { rounds: number }} Settings
 */

/**
 * @typedef {object} Table
 * @property {string} id CLAIM/TABLE
 * @property {string} title
 * @property {Record<string, Metric>} metrics the first is drawn
 * @property {() => (Contender | null)[]} contenders null: not on this machine
 * @property {Settings} settings
 * @property {Partial<Settings>} quick what --quick and --check change
 * @property {boolean} [isSlow] left out of --quick unless a bar needs it
 */

/** What a program of bench/lib/child.mjs prints. @typedef {{ metrics: Record<string, number>, cpuSeconds: number }} ChildResult */

const CHILD = fileURLToPath(new URL('child.mjs', import.meta.url));

/**
 * Runs a program that prints a {@link ChildResult}.
 *
 * @param {string} name
 * @param {(settings: Settings) => readonly string[]} command
 * @param {{ cpu?: number | null, isGuest?: boolean }} [options]
 * @returns {Contender}
 */
export function programContender(name, command, { cpu = SERVER_CPU, isGuest = false } = {}) {
  return {
    name,
    isGuest,
    async sample(settings) {
      const { result, otherShare } = await watchOthers(
        async () => /** @type {ChildResult} */ (await runProgram(command(settings), { cpu })),
        ({ cpuSeconds }) => cpuSeconds,
      );
      return { metrics: result.metrics, otherShare };
    },
  };
}

/**
 * Calls one of the `measures` a claim's file exports, in a process of its own.
 *
 * @param {string} name
 * @param {string} file `import.meta.url` of the claim
 * @param {string} measure
 * @param {{ runtime?: readonly string[], cpu?: number | null, isGuest?: boolean }} [options]
 * @returns {Contender}
 */
export function childContender(name, file, measure, options = {}) {
  const { runtime = [process.execPath, '--expose-gc'], ...rest } = options;
  const command = (/** @type {Settings} */ settings) => [
    ...runtime,
    CHILD,
    fileURLToPath(file),
    measure,
    JSON.stringify(settings),
  ];
  return programContender(name, command, rest);
}

/**
 * Starts a server, loads it and stops it.
 *
 * @param {string} name
 * @param {(host: string, port: number) => readonly string[]} command
 * @param {(settings: Settings) => import('./process.mjs').LoadOptions} load
 * @param {(result: import('./process.mjs').LoadResult, settings: Settings) => Record<string, number>} toMetrics
 * @param {{ isGuest?: boolean, isUnix?: boolean, isUdp?: boolean, loader?: typeof runLoad }} [options]
 * @returns {Contender}
 */
export function serverContender(
  name,
  command,
  load,
  toMetrics,
  { isGuest = false, isUnix = false, isUdp = false, loader = runLoad } = {},
) {
  return {
    name,
    isGuest,
    async sample(settings) {
      const server = await startServer(command, { isUnix, isUdp });
      try {
        const result = await loader(server, load(settings));
        return { metrics: toMetrics(result, settings), otherShare: result.otherSeconds / result.seconds };
      } finally {
        await server.stop();
      }
    },
  };
}
