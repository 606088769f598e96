// Echo over UDP with Bun's own sockets: bun udp-bun.mjs HOST PORT
import process from 'node:process';

const { Bun } = /** @type {any} */ (globalThis);
const [hostname, port] = process.argv.slice(2);

await Bun.udpSocket({
  hostname,
  port: Number(port),
  socket: {
    /**
     * @param {any} socket
     * @param {Buffer} data
     * @param {number} from
     * @param {string} address
     */
    data(socket, data, from, address) {
      socket.send(data, from, address);
    },
  },
});
