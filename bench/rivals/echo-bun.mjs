// Echo with Bun's own sockets: bun echo-bun.mjs HOST PORT
import process from 'node:process';

const { Bun } = /** @type {any} */ (globalThis);
const [hostname, port] = process.argv.slice(2);

Bun.listen({
  hostname,
  port: Number(port),
  socket: {
    open(/** @type {any} */ socket) {
      socket.setNoDelay(true);
      socket.data = [];
    },
    data(/** @type {any} */ socket, /** @type {Uint8Array} */ chunk) {
      const sent = socket.data.length > 0 ? 0 : socket.write(chunk);
      if (sent >= 0 && sent < chunk.length) socket.data.push(Uint8Array.from(chunk.subarray(sent)));
    },
    drain(/** @type {any} */ socket) {
      while (socket.data.length > 0) {
        const chunk = socket.data.shift();
        const sent = socket.write(chunk);
        if (sent === chunk.length) continue;
        if (sent >= 0) socket.data.unshift(chunk.subarray(sent));
        return;
      }
    },
    error() {},
  },
});
