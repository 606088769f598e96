// Preloaded behind `evloop/register`: when the process ends, adds how many sockets were on evloop to the file that
// EVLOOP_SOCKET_COUNTS names, a line a process.
import { appendFileSync } from 'node:fs';
import process from 'node:process';
import { socketCounts } from '../../dist/node/connection-handle.js';

const file = process.env['EVLOOP_SOCKET_COUNTS'];
if (file !== undefined) {
  process.on('exit', () => appendFileSync(file, `${socketCounts.accepted + socketCounts.connected}\n`));
}
