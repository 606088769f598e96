// One line at the end of a process: how much of its work went over the loop.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import process from 'node:process';
import { socketCounts } from './connection-handle.js';
import { openFaceLoop } from './face-loop.js';

const NS_PER_MS = 1e6;
const DELAY_RESOLUTION_MS = 5;

/** Writes the line to standard error when the process ends. @internal */
export function reportAtExit(): void {
  const delays = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delays.enable();
  process.on('exit', () => {
    // A timer that is that often late by nothing counts its own interval.
    const stallMs = Math.max(0, delays.max / NS_PER_MS - DELAY_RESOLUTION_MS);
    process.stderr.write(`${describeWork(stallMs)}\n`);
  });
}

function describeWork(stallMs: number): string {
  const { accepted, connected } = socketCounts;
  const sockets = `${String(accepted + connected)} sockets (${String(accepted)} accepted, ${String(connected)} connected)`;
  const statistics = openFaceLoop()?.statistics();
  const turns = statistics?.turns ?? 0;
  const percent = ((statistics?.utilization ?? 0) * 100).toFixed(1);
  return `evloop: ${sockets}, ${String(turns)} turns, utilisation ${percent} %, longest stall ${stallMs.toFixed(1)} ms`;
}
