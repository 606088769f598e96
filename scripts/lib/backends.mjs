// The combinations of poller and host that exist on this platform; evloop reads both variables.

/** @type {{ EVLOOP_BACKEND: string, EVLOOP_HOST: string }[]} */
export const BACKENDS = [
  { EVLOOP_BACKEND: 'epoll', EVLOOP_HOST: 'uv' },
  { EVLOOP_BACKEND: 'epoll', EVLOOP_HOST: 'thread' },
  { EVLOOP_BACKEND: 'poll', EVLOOP_HOST: 'thread' },
];
