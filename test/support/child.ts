// Runs a program in a Node process of its own, with the package's modules at hand.
import { spawn, type ChildProcess } from 'node:child_process';
import { distUrl } from './dist.js';

export interface ChildResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface ChildOptions {
  /** Modules of the package to import whole, below src/. @defaultValue `['index']` */
  modules?: readonly string[];
  env?: Record<string, string>;
  nodeArgs?: readonly string[];
  /** The process is killed after that many milliseconds; the result then has a signal. @defaultValue 10000 */
  timeoutMs?: number;
  /** A command that runs the process, which is told as its last arguments. */
  prefix?: readonly string[];
  /** How many descriptors the process may have. @defaultValue as this process */
  descriptorLimit?: number;
  /** Is given the process as soon as it runs; it has an IPC channel then. */
  onStart?: (child: ChildProcess) => void;
}

// Node raises a soft limit to the hard one when it starts, so both are set.
const LIMITED = 'ulimit -n "$0" && exec "$@"';

/**
 * Runs `body`, which finds every export of the modules as a variable; resolves when the process is gone.
 */
export async function runChild(body: string, options: ChildOptions = {}): Promise<ChildResult> {
  const { modules = ['index'], env = {}, nodeArgs = [], timeoutMs = 10_000 } = options;
  const { descriptorLimit, onStart, prefix = [] } = options;
  const imports = modules.map(
    (name) => `Object.assign(globalThis, await import(${JSON.stringify(distUrl(name))}));\n`,
  );
  // Functions see global variables only once they run, hence the second module.
  const main = `${imports.join('')}await import(${JSON.stringify(`data:text/javascript,${encodeURIComponent(body)}`)});`;
  const node = [process.execPath, ...nodeArgs, '--input-type=module', '--eval', main];
  const command =
    descriptorLimit === undefined
      ? [...prefix, ...node]
      : ['sh', '-c', LIMITED, String(descriptorLimit), ...node];
  const child = spawn(command[0]!, command.slice(1), {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', ...(onStart === undefined ? [] : ['ipc' as const])],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  onStart?.(child);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
