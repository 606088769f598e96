// Which sockets and servers are for HTTP/2. It is done by native code, which can write to our handles, but expects
// writes to be through at once: a session that is destroyed while one goes on forgets what it had to say, and may
// not end. So they stay with Node.
import type net from 'node:net';

const HTTP2_MODULE = 'internal/http2/core';

let isLoaded = false;
let seenModules = 0;

function isHttp2Loaded(): boolean {
  if (isLoaded) return true;
  const { moduleLoadList = [] } = process as { moduleLoadList?: string[] };
  for (; seenModules < moduleLoadList.length; seenModules++) {
    if (moduleLoadList[seenModules]!.endsWith(HTTP2_MODULE)) isLoaded = true;
  }
  return isLoaded;
}

// What calls the method, below net.connect().
const FRAMES = 6;

function callers(): (string | null)[] {
  const { stackTraceLimit } = Error;
  const prepareStackTrace: unknown = Reflect.get(Error, 'prepareStackTrace');
  try {
    Error.stackTraceLimit = FRAMES;
    Error.prepareStackTrace = (_error, sites) => sites.map((site) => site.getFileName() ?? null);
    return new Error().stack as unknown as (string | null)[];
  } finally {
    Reflect.set(Error, 'prepareStackTrace', prepareStackTrace);
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/**
 * Whether `http2.connect()` is what connects a socket right now. Its options do not tell, its caller does; it is only
 * looked at in programs that have loaded HTTP/2.
 *
 * @internal
 */
export function isHttp2Connecting(): boolean {
  return isHttp2Loaded() && callers().some((file) => file?.endsWith(HTTP2_MODULE) === true);
}

/** Whether a server is one of HTTP/2 without TLS. @internal */
export function isHttp2Server(server: net.Server): boolean {
  return server.constructor.name === 'Http2Server';
}
