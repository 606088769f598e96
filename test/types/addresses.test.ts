// Compiled, never run: which options go together, and what is known about an address.
import { connect, listen, type SocketAddress } from 'evloop';

declare const address: SocketAddress;
declare const handler: () => Promise<void>;

void connect({ port: 80, localAddress: '127.0.0.1', family: 4, keepAlive: true });
void connect({ path: 'socket', limit: 1024 });
// @ts-expect-error -- a path has no port
void connect({ path: 'socket', port: 80 });
// @ts-expect-error -- nor TCP's options
void connect({ path: 'socket', noDelay: true });
// @ts-expect-error -- where to
void connect({ host: 'localhost' });
// @ts-expect-error -- no such family
void connect({ port: 80, family: 5 });

void listen(handler, { host: ['127.0.0.1', '::1'], samePort: false });
void listen(handler, { path: 'socket', backlog: 5 });
void listen(handler, { fd: 3, noDelay: false });
// @ts-expect-error -- one of them
void listen(handler, { path: 'socket', fd: 3 });
// @ts-expect-error -- it listens already
void listen(handler, { fd: 3, backlog: 5 });
// @ts-expect-error -- a path has no port
void listen(handler, { path: 'socket', reusePort: true });

if (address.family === 'Unix') {
  void address.path.length;
} else {
  void [address.port.toFixed(), address.address.length];
}
// @ts-expect-error -- perhaps a path
void address.address.length;
