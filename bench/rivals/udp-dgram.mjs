// Echo over UDP with Node's own sockets.
import dgram from 'node:dgram';
import process from 'node:process';

const [host, port] = process.argv.slice(2);
const socket = dgram.createSocket('udp4');
socket.on('message', (message, { address, port: from }) => {
  socket.send(message, from, address);
});
socket.bind(Number(port), host);
