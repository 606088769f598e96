// Descriptors for tests, by a small addon that is compiled where they are asked for first.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

type Pair = [number, number];

interface Descriptors {
  /** Two connected Unix sockets. */
  socketPair(): Pair;
  /** The end to read and the end to write. */
  pipe(): Pair;
  /** A pipe of which one read gives what one write wrote. */
  packetPipe(): Pair;
  /** Sends a byte through a Unix socket, and with it a descriptor. */
  sendDescriptor(fd: number): number;
  /** Sends a byte through a TCP socket that is no part of the stream. */
  sendUrgent(fd: number): number;
  duplicate(fd: number): number;
  /** Not connected. */
  datagramSocket(): number;
  /** Not connected. */
  streamSocket(): number;
  /** O_NONBLOCK and the like. */
  statusFlags(fd: number): number;
  /** FD_CLOEXEC. */
  descriptorFlags(fd: number): number;
}

const require = createRequire(import.meta.url);

function compile(): Descriptors {
  const directory = mkdtempSync(path.join(tmpdir(), 'evloop-descriptors-'));
  try {
    const addon = path.join(directory, 'descriptors.node');
    const source = fileURLToPath(new URL('descriptors.c', import.meta.url));
    const headers = (require('node-api-headers') as { include_dir: string }).include_dir;
    execFileSync('cc', [
      '-shared',
      '-fPIC',
      '-D_GNU_SOURCE',
      '-DNODE_GYP_MODULE_NAME=descriptors',
      `-I${headers}`,
      source,
      '-o',
      addon,
    ]);
    return require(addon) as Descriptors;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export const descriptors = compile();
