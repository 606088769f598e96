// Waits with a listening socket and a timer an hour away: node idle-node.mjs HOST PORT
import net from 'node:net';
import process from 'node:process';

const HOUR_MS = 3_600_000;
const [host, port] = process.argv.slice(2);

net.createServer((socket) => socket.destroy()).listen({ host, port: Number(port) });
setTimeout(() => {}, HOUR_MS);
