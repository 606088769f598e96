// Sockets that a service manager has opened for this process.
import { systemError } from '../base/errors.js';
import { binding } from '../native/load.js';

const FIRST_DESCRIPTOR = 3;

/**
 * Takes the descriptors that systemd, or whoever speaks its protocol, has passed to this process, for
 * `listen(handler, { fd })`. They are not inherited by the programs that this one starts; nor are the
 * environment variables, which are removed: a second call finds nothing.
 *
 * Suspends: never.
 *
 * @returns The descriptors, in the order of the unit's sockets; none when nothing was passed to this very
 *   process.
 * @throws {@link SystemError} `EBADF` - the variables promise a descriptor that is not open.
 * @example
 * ```ts
 * const [fd] = listenFds();
 * const options = fd === undefined ? { host: '127.0.0.1', port: 4000 } : { fd };
 * const server = await listen(async (stream) => void stream.write('hello'), options);
 * ```
 * @source sd_listen_fds(3), with `unset_environment`
 */
export function listenFds(): number[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = process.env;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) {
    Reflect.deleteProperty(process.env, name);
  }
  if (pid !== String(process.pid) || count === undefined || !/^\d+$/.test(count)) return [];
  const descriptors: number[] = [];
  for (let i = 0; i < Number(count); i++) {
    const descriptor = FIRST_DESCRIPTOR + i;
    const status = binding.setCloseOnExec(descriptor);
    if (status < 0) throw systemError(status, 'fcntl', { address: `descriptor ${String(descriptor)}` });
    descriptors.push(descriptor);
  }
  return descriptors;
}
