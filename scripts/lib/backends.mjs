// The combinations of poller and host that exist on this platform; evloop reads both variables.
import process from 'node:process';

/** @type {{ EVLOOP_BACKEND: string, EVLOOP_HOST: string }[]} */
const LINUX = [
  { EVLOOP_BACKEND: 'epoll', EVLOOP_HOST: 'uv' },
  { EVLOOP_BACKEND: 'epoll', EVLOOP_HOST: 'thread' },
  { EVLOOP_BACKEND: 'poll', EVLOOP_HOST: 'thread' },
];

export const BACKENDS =
  process.platform === 'darwin'
    ? LINUX.map((env) => (env.EVLOOP_BACKEND === 'epoll' ? { ...env, EVLOOP_BACKEND: 'kqueue' } : env))
    : LINUX;
