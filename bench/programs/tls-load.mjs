// Loads a TLS echo server and prints what that cost it: node tls-load.mjs HOST PORT PID OPTIONS
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { busySeconds } from '../lib/machine.mjs';
import { median } from '../lib/statistics.mjs';

const TICKS_PER_SECOND = 100;

const [host, port, pid, text = '{}'] = process.argv.slice(2);
/** @type {{ connections: number, size: number, warmup: number, seconds: number }} */
const { connections, size, warmup, seconds } = JSON.parse(text);
const request = Buffer.alloc(size, 'x');
/** @type {number[]} */
let tripsUs = [];

function connect() {
  const socket = tls.connect({ host, port: Number(port), rejectUnauthorized: false });
  let begin = 0;
  let left = 0;
  const send = () => {
    begin = performance.now();
    left = size;
    socket.write(request);
  };
  socket.setNoDelay(true).on('secureConnect', send);
  socket.on('data', (chunk) => {
    left -= chunk.length;
    if (left > 0) return;
    tripsUs.push((performance.now() - begin) * 1000);
    send();
  });
}

/** Processor seconds of the server so far. */
function serverSeconds() {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function sample() {
  const { user, system } = process.cpuUsage();
  return {
    now: performance.now() / 1000,
    server: serverSeconds(),
    busy: busySeconds(),
    own: (user + system) / 1e6,
  };
}

for (let i = 0; i < connections; i++) connect();
await delay(warmup * 1000);
tripsUs = [];
const before = sample();
await delay(seconds * 1000);
const after = sample();
const own = after.own - before.own;
const server = after.server - before.server;
console.log(
  JSON.stringify({
    seconds: after.now - before.now,
    answers: tripsUs.length,
    perSecond: tripsUs.length / (after.now - before.now),
    p50Us: median(tripsUs),
    serverSeconds: server,
    clientSeconds: own,
    otherSeconds: Math.max(0, after.busy - before.busy - own - server),
  }),
);
process.exit();
