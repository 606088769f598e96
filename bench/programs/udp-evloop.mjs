// Echo over UDP: udp-evloop HOST PORT (protocol | recvMany() | "for await" | generator)
import process from 'node:process';
import { EventLoop, run, udp } from 'evloop';

const [host = '', port = '', form = ''] = process.argv.slice(2);
const local = { host, port: Number(port) };

/** @type {Record<string, () => unknown>} */
const forms = {
  async protocol() {
    const loop = EventLoop.running();
    /** @returns {import('evloop').DatagramProtocol} */
    const echo = () => {
      /** @type {import('evloop').DatagramTransport} */
      let transport;
      return {
        connectionMade(made) {
          transport = made;
        },
        datagramReceived(data, address) {
          transport.sendTo(data, address);
        },
      };
    };
    await loop.createDatagramEndpoint(echo, { local });
    await loop.createFuture();
  },
  async 'for await'() {
    const socket = await udp({ local });
    for await (const { data, address } of socket) if (!socket.send(data, address)) await socket.drain();
  },
  *generator() {
    const socket = yield* udp({ local });
    for (;;) {
      const { data, address } = yield* socket.receive();
      if (!socket.send(data, address)) yield* socket.drain();
    }
  },
  async 'recvMany()'() {
    const socket = await udp({ local });
    for (;;) {
      for (const { data, address } of await socket.recvMany(64)) {
        if (!socket.send(data, address)) await socket.drain();
      }
    }
  },
};

await run(/** @type {() => Promise<unknown>} */ (forms[form]));
