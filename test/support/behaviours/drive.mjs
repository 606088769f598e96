// Behaves towards a server of server.mjs as generate.mjs made up, and collects what both sides saw.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** @typedef {import('./generate.mjs').Behaviour} Behaviour */

const HOST = '127.0.0.1';
const SERVER = fileURLToPath(new URL('server.mjs', import.meta.url));
const STEP_TIMEOUT_MS = 15_000;

/** A server in a process of its own, and the events that it told of. */
export class WatchedServer {
  #child;
  /** @type {Record<string, number>} */
  #ports = {};
  /** Events by server and the port of the client. @type {Map<string, string[]>} */
  #events = new Map();
  /** @type {Set<() => void>} */
  #waiting = new Set();
  /** What no handler caught. @type {string[]} */
  uncaught = [];
  #ready;

  /**
   * @param {object} options
   * @param {string} [options.node]
   * @param {readonly string[]} [options.nodeArgs]
   */
  constructor({ node = process.execPath, nodeArgs = [] } = {}) {
    this.#child = spawn(node, [...nodeArgs, SERVER], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#ready = new Promise((resolve, reject) => {
      this.#child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
      createInterface({ input: this.#child.stdout }).on('line', (line) => {
        const told = JSON.parse(line);
        if (Array.isArray(told)) this.#note(/** @type {[string, number, string]} */ (told));
        else if ('ports' in told) resolve((this.#ports = told.ports));
        else this.uncaught.push(told.uncaught);
      });
    });
  }

  /** @param {[string, number, string]} event */
  #note([server, port, event]) {
    const key = `${server} ${port}`;
    const events = this.#events.get(key) ?? [];
    events.push(event);
    this.#events.set(key, events);
    for (const look of this.#waiting) look();
  }

  /** Waits until a condition holds. @param {string} what @param {() => boolean} condition */
  async #until(what, condition) {
    if (condition()) return;
    await new Promise((resolve, reject) => {
      const look = () => {
        if (condition()) done(resolve);
      };
      const timer = setTimeout(() => done(() => reject(new Error(`in vain: ${what}`))), STEP_TIMEOUT_MS);
      const done = (/** @type {(value: null) => void} */ settle) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        settle(null);
      };
      this.#waiting.add(look);
    });
  }

  /**
   * Behaves so once, with a connection of its own.
   *
   * @param {Behaviour} behaviour
   * @returns {Promise<string[]>} what both sides saw
   */
  async meet({ server, steps }) {
    await this.#ready;
    const socket = net.connect({
      port: /** @type {number} */ (this.#ports[server]),
      host: HOST,
      allowHalfOpen: true,
    });
    socket.setNoDelay(true);
    let received = '';
    /** @type {string[]} */
    const own = [];
    let isClosed = false;
    const look = () => this.#waiting.forEach((each) => each());
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      look();
    });
    socket.on('end', () => {
      own.push('end');
      look();
    });
    socket.on('error', (error) => own.push(`error ${/** @type {NodeJS.ErrnoException} */ (error).code}`));
    socket.on('close', () => {
      isClosed = true;
      look();
    });
    await once(socket, 'connect');
    const key = `${server} ${socket.localPort}`;
    const events = () => this.#events.get(key) ?? [];
    const isOver = () => events().some((event) => event.startsWith('close,'));
    let taken = 0;
    for (const step of steps) {
      switch (step.do) {
        case 'send':
          if (socket.writable) socket.write(step.text, 'latin1');
          break;
        case 'dribble':
          for (const byte of step.text) {
            if (socket.writable) socket.write(byte, 'latin1');
            await new Promise((resolve) => setImmediate(resolve));
          }
          break;
        case 'yield':
          await new Promise((resolve) => setTimeout(resolve, 20));
          break;
        case 'wait':
          await this.#until(
            String(step.for),
            () =>
              own.length > 0 ||
              isClosed ||
              isOver() ||
              events().filter((event) => step.for.test(event)).length >= (step.times ?? 1),
          );
          break;
        case 'receive': {
          const whole = taken + step.text.length;
          await this.#until(
            `${step.text.length} bytes`,
            () => own.length > 0 || isClosed || received.length >= whole,
          );
          taken = whole;
          break;
        }
        case 'pause':
          socket.pause();
          break;
        case 'end':
          socket.end();
          break;
        case 'reset':
          socket.resetAndDestroy();
          break;
        case 'destroy':
          socket.destroy();
          break;
        case 'stay':
          socket.on('end', () => socket.end());
          if (socket.readableEnded) socket.end();
          break;
      }
    }
    await this.#until('the close', () => isClosed && isOver());
    // Events behind the close of the connection come in the same turn, or not at all.
    await new Promise((resolve) => setTimeout(resolve, 20));
    const seen = events();
    // Another client may get the same port.
    this.#events.delete(key);
    // How much has come until then is a matter of time.
    if (['reset', 'destroy'].includes(steps.at(-1)?.do ?? '')) return seen;
    const answer = received.replaceAll(/Date: [^\r]*/g, 'Date');
    return [...seen, 'client', ...own, shorten(answer)];
  }

  async stop() {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    this.#child.removeAllListeners('exit');
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}

/**
 * Leaves out how the bytes of a body came apart.
 *
 * @param {string} text
 */
function shorten(text) {
  return text
    .replaceAll(/(?:[0-9a-f]+\r\n(z+)\r\n)+/g, (chunks) => `${chunks.split('z').length - 1} in chunks`)
    .replaceAll(/(.)\1{20,}/g, (run, letter) => `${letter} x ${run.length}`);
}
