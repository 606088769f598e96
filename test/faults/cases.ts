// Which system call is made to fail, with what, while what is done. The errors are those of the man pages, as far as
// they can come up for the descriptors that the call gets here.

export interface FaultCase {
  readonly call: string;
  /** What test/faults/program.mjs is told to do. */
  readonly operation: string;
  readonly errors: readonly string[];
  /** How often it fails, one time after the other. @defaultValue 1 */
  readonly times?: number;
}

const outOfSockets = [
  'EACCES',
  'EAFNOSUPPORT',
  'EINVAL',
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EPROTONOSUPPORT',
];
const brokenSends = [
  'EACCES',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOBUFS',
  'ENOMEM',
  'EPIPE',
  'ETIMEDOUT',
];

/** On epoll and in Node's own loop. */
export const cases: readonly FaultCase[] = [
  { call: 'epoll_create1', operation: 'create', errors: ['EMFILE', 'ENFILE', 'ENOMEM'] },
  { call: 'eventfd2', operation: 'create', errors: ['EMFILE', 'ENFILE', 'ENODEV', 'ENOMEM'] },
  { call: 'epoll_ctl', operation: 'create', errors: ['ENOMEM', 'ENOSPC'] },
  { call: 'epoll_wait', operation: 'echo', errors: ['EINTR'], times: 10 },
  { call: 'write', operation: 'wake', errors: ['EINTR'], times: 3 },
  { call: 'socket', operation: 'connect', errors: outOfSockets },
  { call: 'setsockopt', operation: 'connect', errors: ['EINVAL', 'ENOBUFS', 'ENOMEM', 'ENOPROTOOPT'] },
  {
    call: 'connect',
    operation: 'connect',
    errors: [
      'EACCES',
      'EADDRINUSE',
      'EADDRNOTAVAIL',
      'EAFNOSUPPORT',
      'EAGAIN',
      'ECONNREFUSED',
      'EHOSTUNREACH',
      'ENETUNREACH',
      'EPERM',
      'EPROTOTYPE',
      'ETIMEDOUT',
    ],
  },
  { call: 'epoll_ctl', operation: 'connect', errors: ['ENOMEM', 'ENOSPC'] },
  { call: 'getsockopt', operation: 'connect', errors: ['EINVAL', 'ENOPROTOOPT'] },
  { call: 'getpeername', operation: 'connect', errors: ['ENOBUFS'] },
  { call: 'socket', operation: 'listen', errors: outOfSockets },
  { call: 'setsockopt', operation: 'listen', errors: ['EINVAL', 'ENOBUFS', 'ENOMEM', 'ENOPROTOOPT'] },
  {
    call: 'bind',
    operation: 'listen',
    errors: ['EACCES', 'EADDRINUSE', 'EADDRNOTAVAIL', 'EINVAL', 'ENOMEM'],
  },
  { call: 'listen', operation: 'listen', errors: ['EADDRINUSE', 'EOPNOTSUPP'] },
  { call: 'epoll_ctl', operation: 'listen', errors: ['ENOMEM', 'ENOSPC'] },
  { call: 'getsockname', operation: 'listen', errors: ['ENOBUFS'], times: 3 },
  { call: 'accept4', operation: 'accept', errors: ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'] },
  {
    call: 'accept4',
    operation: 'accept',
    errors: [
      'ECONNABORTED',
      'EHOSTDOWN',
      'EHOSTUNREACH',
      'EINTR',
      'ENETDOWN',
      'ENETUNREACH',
      'ENONET',
      'ENOPROTOOPT',
      'EOPNOTSUPP',
      'EPERM',
      'EPROTO',
    ],
    times: 3,
  },
  { call: 'recvfrom', operation: 'receive', errors: ['EINTR'], times: 5 },
  {
    call: 'recvfrom',
    operation: 'receive',
    errors: ['ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOMEM', 'ENOTCONN', 'ETIMEDOUT'],
  },
  { call: 'sendto', operation: 'send', errors: ['EINTR'], times: 5 },
  { call: 'sendto', operation: 'send', errors: brokenSends },
  { call: 'sendto', operation: 'sendLarge', errors: brokenSends },
  { call: 'sendmsg', operation: 'sendPieces', errors: ['EINTR'], times: 5 },
  { call: 'sendmsg', operation: 'sendPieces', errors: brokenSends },
  { call: 'sendfile', operation: 'sendFile', errors: ['EINTR'], times: 5 },
  {
    call: 'sendfile',
    operation: 'sendFile',
    errors: ['EINVAL', 'EIO', 'ENOMEM', 'EOVERFLOW', 'EPIPE', 'ECONNRESET'],
  },
  { call: 'shutdown', operation: 'closeWrite', errors: ['ENOBUFS', 'ENOTCONN'] },
  { call: 'close', operation: 'close', errors: ['EINTR', 'EIO'] },
];

/** On poll(2) and in a thread of its own. epoll tells of what is there only once, so EAGAIN can be put on here only. */
export const pollCases: readonly FaultCase[] = [
  { call: 'poll', operation: 'echo', errors: ['EINTR', 'ENOMEM'], times: 3 },
  { call: 'accept4', operation: 'accept', errors: ['EAGAIN'], times: 20 },
  { call: 'recvfrom', operation: 'receive', errors: ['EAGAIN'], times: 20 },
  { call: 'recvfrom', operation: 'receive', errors: ['ECONNRESET', 'ETIMEDOUT'] },
  { call: 'sendto', operation: 'send', errors: ['EAGAIN'], times: 20 },
  { call: 'sendto', operation: 'send', errors: ['ECONNRESET', 'EPIPE'] },
  { call: 'sendto', operation: 'sendLarge', errors: ['EAGAIN'], times: 20 },
  { call: 'sendmsg', operation: 'sendPieces', errors: ['EAGAIN'], times: 20 },
  { call: 'sendfile', operation: 'sendFile', errors: ['EAGAIN'], times: 20 },
];
