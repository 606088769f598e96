// Which system call is made to fail, with what, while what is done. The errors are those of the man pages, as far as
// they can come up for the descriptors that the call gets here.

export interface FaultCase {
  readonly call: string;
  /** What test/faults/program.mjs is told to do. */
  readonly operation: string;
  readonly errors: readonly string[];
  /** How often it fails, one time after the other. @defaultValue 1 */
  readonly times?: number;
  /** Whether it fails in other threads than the loop's, too. */
  readonly inThreads?: true;
  /** Only for the descriptors of the pipe that the program has: Node makes the same call. */
  readonly ofPipe?: true;
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

const unreachablePaths = ['EACCES', 'ELOOP', 'ENAMETOOLONG', 'ENOENT', 'ENOTDIR', 'EROFS'];

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
  { call: 'epoll_ctl', operation: 'watch', errors: ['ENOMEM', 'ENOSPC'] },
  { call: 'clone3', operation: 'lookUp', errors: ['EAGAIN', 'ENOMEM'] },
  // Unix sockets
  { call: 'bind', operation: 'listenUnix', errors: unreachablePaths },
  { call: 'connect', operation: 'connectUnix', errors: [...unreachablePaths, 'EAGAIN', 'ECONNREFUSED'] },
  { call: 'recvmsg', operation: 'receiveUnix', errors: ['EINTR'], times: 5 },
  { call: 'recvmsg', operation: 'receiveUnix', errors: ['ECONNRESET', 'ENOMEM', 'ENOTCONN'] },
  // Datagrams
  { call: 'socket', operation: 'bindDatagrams', errors: outOfSockets },
  { call: 'setsockopt', operation: 'bindDatagrams', errors: ['EINVAL', 'ENOBUFS', 'ENOMEM', 'ENOPROTOOPT'] },
  { call: 'bind', operation: 'bindDatagrams', errors: ['EACCES', 'EADDRINUSE', 'EADDRNOTAVAIL', 'ENOMEM'] },
  { call: 'epoll_ctl', operation: 'bindDatagrams', errors: ['ENOMEM', 'ENOSPC'] },
  {
    call: 'connect',
    operation: 'connectDatagrams',
    errors: ['EACCES', 'EADDRNOTAVAIL', 'EAGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EPERM'],
  },
  { call: 'recvmmsg', operation: 'receiveDatagrams', errors: ['EINTR'], times: 5 },
  {
    call: 'recvmmsg',
    operation: 'receiveDatagrams',
    errors: ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOMEM'],
  },
  { call: 'sendmmsg', operation: 'sendDatagrams', errors: ['EINTR'], times: 5 },
  {
    call: 'sendmmsg',
    operation: 'sendDatagrams',
    errors: [
      'EACCES',
      'ECONNREFUSED',
      'EHOSTUNREACH',
      'EINVAL',
      'EMSGSIZE',
      'ENETDOWN',
      'ENETUNREACH',
      'ENOBUFS',
      'ENOMEM',
      'EPERM',
    ],
  },
  // Descriptors of others
  { call: 'read', operation: 'readPipe', errors: ['EINTR'], times: 5, ofPipe: true },
  { call: 'read', operation: 'readPipe', errors: ['EIO'], ofPipe: true },
  { call: 'writev', operation: 'writePipe', errors: ['EINTR'], times: 5, ofPipe: true },
  { call: 'writev', operation: 'writePipe', errors: ['EIO', 'ENOSPC', 'EPERM', 'EPIPE'], ofPipe: true },
  { call: 'fcntl', operation: 'openPipe', errors: ['EINVAL', 'EPERM'], ofPipe: true },
  { call: 'getsockopt', operation: 'adopt', errors: ['EINVAL', 'ENOPROTOOPT', 'ENOTSOCK'] },
  { call: 'getpeername', operation: 'adopt', errors: ['ENOBUFS', 'ENOTCONN'] },
  { call: 'fcntl', operation: 'adopt', errors: ['EINVAL', 'EPERM'] },
  { call: 'epoll_ctl', operation: 'adopt', errors: ['ENOMEM', 'ENOSPC'] },
  { call: 'getsockopt', operation: 'serveDescriptor', errors: ['EINVAL', 'ENOPROTOOPT', 'ENOTSOCK'] },
  { call: 'getsockname', operation: 'serveDescriptor', errors: ['ENOBUFS'] },
  { call: 'setsockopt', operation: 'serveDescriptor', errors: ['EINVAL', 'ENOMEM'] },
  { call: 'fcntl', operation: 'serveDescriptor', errors: ['EINVAL', 'EPERM'] },
  { call: 'lseek', operation: 'sendSmallFile', errors: ['EINVAL', 'EOVERFLOW', 'ESPIPE'] },
  // Sockets of the caller
  { call: 'socket', operation: 'sockCreate', errors: outOfSockets },
  { call: 'socketpair', operation: 'sockPair', errors: ['EAFNOSUPPORT', 'EMFILE', 'ENFILE', 'EOPNOTSUPP'] },
  { call: 'bind', operation: 'sockBind', errors: ['EACCES', 'EADDRINUSE', 'EADDRNOTAVAIL', 'EINVAL'] },
  { call: 'listen', operation: 'sockListen', errors: ['EADDRINUSE', 'EOPNOTSUPP'] },
  { call: 'getsockname', operation: 'sockAddress', errors: ['EINVAL', 'ENOBUFS'] },
  { call: 'connect', operation: 'sockConnect', errors: ['EADDRNOTAVAIL', 'ECONNREFUSED', 'ENETUNREACH'] },
  {
    call: 'accept4',
    operation: 'sockAccept',
    errors: ['ECONNABORTED', 'EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'],
  },
  { call: 'accept4', operation: 'sockAccept', errors: ['EINTR'], times: 5 },
  {
    call: 'recvfrom',
    operation: 'sockReceive',
    errors: ['ECONNREFUSED', 'ECONNRESET', 'ENOMEM', 'ENOTCONN'],
  },
  { call: 'recvfrom', operation: 'sockReceive', errors: ['EINTR', 'EAGAIN'], times: 5 },
  { call: 'sendto', operation: 'sockSend', errors: brokenSends },
  { call: 'sendto', operation: 'sockSend', errors: ['EINTR', 'EAGAIN'], times: 5 },
];

/** On epoll, with a thread that waits. */
export const threadCases: readonly FaultCase[] = [
  { call: 'clone3', operation: 'create', errors: ['EAGAIN', 'ENOMEM'] },
  { call: 'poll', operation: 'echo', errors: ['EINTR', 'ENOMEM'], times: 3, inThreads: true },
  { call: 'epoll_wait', operation: 'echo', errors: ['EINTR'], times: 10 },
  { call: 'write', operation: 'wake', errors: ['EINTR'], times: 3, inThreads: true },
  { call: 'recvfrom', operation: 'receive', errors: ['EINTR'], times: 5 },
  { call: 'recvfrom', operation: 'receive', errors: ['ECONNRESET', 'ETIMEDOUT'] },
  { call: 'sendto', operation: 'send', errors: ['ECONNRESET', 'EPIPE'] },
  { call: 'accept4', operation: 'accept', errors: ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'] },
];

/** On poll(2) and in a thread of its own. epoll tells of what is there only once, so EAGAIN can be put on here only. */
export const pollCases: readonly FaultCase[] = [
  { call: 'poll', operation: 'echo', errors: ['EINTR', 'ENOMEM'], times: 3, inThreads: true },
  { call: 'newfstatat', operation: 'watch', errors: ['ENOMEM', 'EOVERFLOW'] },
  { call: 'read', operation: 'wake', errors: ['EINTR'], times: 3 },
  { call: 'accept4', operation: 'accept', errors: ['EAGAIN'], times: 20 },
  { call: 'recvfrom', operation: 'receive', errors: ['EAGAIN'], times: 20 },
  { call: 'recvfrom', operation: 'receive', errors: ['ECONNRESET', 'ETIMEDOUT'] },
  { call: 'sendto', operation: 'send', errors: ['EAGAIN'], times: 20 },
  { call: 'sendto', operation: 'send', errors: ['ECONNRESET', 'EPIPE'] },
  { call: 'sendto', operation: 'sendLarge', errors: ['EAGAIN'], times: 20 },
  { call: 'sendmsg', operation: 'sendPieces', errors: ['EAGAIN'], times: 20 },
  { call: 'sendfile', operation: 'sendFile', errors: ['EAGAIN'], times: 20 },
  { call: 'recvmsg', operation: 'receiveUnix', errors: ['EAGAIN'], times: 20 },
  { call: 'recvmmsg', operation: 'receiveDatagrams', errors: ['EAGAIN'], times: 20 },
  { call: 'sendmmsg', operation: 'sendDatagrams', errors: ['EAGAIN'], times: 20 },
  { call: 'read', operation: 'readPipe', errors: ['EAGAIN'], times: 20, ofPipe: true },
  { call: 'writev', operation: 'writePipe', errors: ['EAGAIN'], times: 20, ofPipe: true },
];

/** Calls that move one byte or one message at a time, and what is then to be done. */
export const partialCases: readonly (readonly [call: string, operation: string])[] = [
  ['recvfrom', 'receiveBytes'],
  ['recvmsg', 'receiveUnix'],
  ['sendto', 'send'],
  ['sendto', 'sendBytes'],
  ['sendmsg', 'sendPieces'],
  ['sendfile', 'sendSmallFile'],
  ['read', 'readPipe'],
  ['writev', 'writePipe'],
  ['recvmmsg', 'receiveDatagrams'],
  ['sendmmsg', 'sendDatagrams'],
];
