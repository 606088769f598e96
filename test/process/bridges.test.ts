// Clients of other packages, over connections of ours, against the servers that they are for.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type net from 'node:net';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { AbstractConnector, Redis } from 'ioredis';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { EventLoop } from '../../src/event-loop.js';
import { nodeConnection } from '../../src/io/open.js';
import {
  DatabaseServer,
  freePort,
  HOST,
  programPath,
  START_TIMEOUT_MS,
  startPostgres,
  startRedis,
} from '../support/database-server.mjs';
import { withEventLoop } from '../support/net.js';

const LARGE_BYTES = 3_000_000;
const QUERIES = 200;

/** Every connection of `body` has ended when it has. */
async function withClients(body: (loop: EventLoop) => Promise<void>): Promise<void> {
  await withEventLoop(async (loop) => {
    await body(loop);
    const deadline = performance.now() + 2000;
    while (loop.statistics().sockets > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(loop.statistics().sockets).toBe(0);
  });
}

const manyNumbers = Array.from({ length: QUERIES }, (_, n) => n);
const large = randomBytes(LARGE_BYTES / 2).toString('hex');

describe.skipIf(programPath('postgres') === null)(
  'pg over our connections (needs the Debian package postgresql)',
  () => {
    let server: DatabaseServer;
    const settings = (): pg.ClientConfig => ({
      host: HOST,
      port: server.port,
      user: 'postgres',
      database: 'postgres',
      stream: () => nodeConnection(),
    });
    const open = async (): Promise<pg.Client> => {
      const client = new pg.Client(settings());
      await client.connect();
      return client;
    };

    beforeAll(async () => {
      server = (await startPostgres())!;
    }, START_TIMEOUT_MS);

    afterAll(async () => {
      await server.kill('SIGQUIT');
      await server.remove();
    });

    test('queries, megabytes both ways, errors and a clean end', async () => {
      await withClients(async () => {
        const client = await open();
        expect((await client.query('SELECT $1::int + 1 AS sum', [41])).rows).toEqual([{ sum: 42 }]);
        const { rows } = await client.query<{ back: string; length: number }>(
          'SELECT $1::text AS back, length($1::text) AS length',
          [large],
        );
        expect(rows[0]!.length).toBe(large.length);
        expect(rows[0]!.back === large).toBe(true);
        const pool = new pg.Pool({ ...settings(), max: 10 });
        const answers = await Promise.all(
          manyNumbers.map(
            async (n) => (await pool.query<{ n: number }>('SELECT $1::int AS n', [n])).rows[0]!.n,
          ),
        );
        await pool.end();
        expect(answers).toEqual(manyNumbers);
        await expect(client.query('SELECT nonsense')).rejects.toThrow('nonsense');
        await client.end();
      });
    });

    test('a server that is killed ends what waits for it', async () => {
      await withClients(async () => {
        const client = await open();
        const told = new Promise<Error>((resolve) => client.on('error', resolve));
        const refused = expect(client.query('SELECT pg_sleep(60)')).rejects.toThrow();
        await server.kill('SIGQUIT');
        await refused;
        expect(await told).toBeInstanceOf(Error);
        await expect(open()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      });
    });
  },
);

describe.skipIf(programPath('redis-server') === null)(
  'ioredis over our connections (needs the Debian package redis-server)',
  () => {
    let server: DatabaseServer;

    class Connector extends AbstractConnector {
      constructor() {
        super(1000);
      }

      connect(): Promise<net.Socket> {
        this.stream = nodeConnection({ host: HOST, port: server.port }) as unknown as net.Socket;
        return Promise.resolve(this.stream);
      }
    }
    const open = (): Redis => new Redis({ Connector, retryStrategy: () => null, maxRetriesPerRequest: 0 });

    beforeAll(async () => {
      server = (await startRedis())!;
    }, START_TIMEOUT_MS);

    afterAll(async () => {
      await server.remove();
    });

    test('commands, megabytes both ways, errors and a clean end', async () => {
      await withClients(async () => {
        const redis = open();
        expect(await redis.ping()).toBe('PONG');
        await redis.set('large', large);
        expect((await redis.get('large')) === large).toBe(true);
        const answers = await Promise.all(manyNumbers.map((n) => redis.echo(String(n))));
        expect(answers).toEqual(manyNumbers.map(String));
        await expect(redis.incr('large')).rejects.toThrow('integer');
        const ended = once(redis, 'end');
        await redis.quit();
        await ended;
      });
    });

    test('a server that is killed ends what waits for it', async () => {
      await withClients(async () => {
        const redis = open();
        redis.on('error', () => undefined);
        await redis.ping();
        const refused = expect(redis.blpop('nothing', 60)).rejects.toThrow();
        const ended = new Promise((resolve) => redis.once('end', resolve));
        await server.kill('SIGKILL');
        await refused;
        await ended;
      });
    });
  },
);

const mariadb = programPath('mariadbd');

describe.skipIf(mariadb === null)(
  'mysql2 over our connections (needs the Debian package mariadb-server)',
  () => {
    let server: DatabaseServer;
    const open = (): Promise<mysql.Connection> =>
      mysql.createConnection({
        user: 'root',
        stream: () => nodeConnection({ host: HOST, port: server.port }),
      });

    beforeAll(async () => {
      server = new DatabaseServer('mariadb', 'mysql');
      const data = join(server.directory, 'data');
      const user = process.getuid!() === 0 ? ['--user=mysql'] : [];
      server.prepare([
        programPath('mariadb-install-db')!,
        '--no-defaults',
        ...user,
        `--datadir=${data}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
      ]);
      const settings = ['--skip-name-resolve', '--max-allowed-packet=64M', `--bind-address=${HOST}`];
      await server.start((port) => [
        mariadb!,
        '--no-defaults',
        ...user,
        `--datadir=${data}`,
        `--socket=${join(server.directory, 'socket')}`,
        `--port=${String(port)}`,
        ...settings,
      ]);
    }, START_TIMEOUT_MS);

    afterAll(async () => {
      await server.remove();
    });

    test('queries, megabytes both ways, errors and a clean end', async () => {
      await withClients(async () => {
        const connection = await open();
        expect((await connection.query('SELECT ? + 1 AS sum', [41]))[0]).toEqual([{ sum: 42 }]);
        const [rows] = await connection.query<mysql.RowDataPacket[]>('SELECT ? AS back', [large]);
        expect((rows[0]!['back'] as string) === large).toBe(true);
        const answers = await Promise.all(
          manyNumbers.map(
            async (n) =>
              (await connection.query<mysql.RowDataPacket[]>('SELECT ? AS n', [n]))[0][0]!['n'] as number,
          ),
        );
        expect(answers).toEqual(manyNumbers);
        await expect(connection.query('SELECT nonsense')).rejects.toThrow('nonsense');
        await connection.end();
      });
    });

    test('a server that is killed ends what waits for it', async () => {
      await withClients(async () => {
        const connection = await open();
        connection.on('error', () => undefined);
        const refused = expect(connection.query('SELECT SLEEP(60)')).rejects.toThrow();
        await server.kill('SIGKILL');
        await refused;
      });
    });
  },
);

describe('ws over our connections', () => {
  const open = (port: number): WebSocket =>
    new WebSocket(`ws://${HOST}:${String(port)}`, {
      createConnection: () => nodeConnection({ host: HOST, port }) as unknown as net.Socket,
    });
  const withServer = (body: (server: WebSocketServer, port: number) => Promise<void>): Promise<void> =>
    withClients(async () => {
      const server = new WebSocketServer({ port: 0, host: HOST });
      server.on('connection', (peer) => {
        peer.on('error', () => undefined);
        peer.on('message', (data, isBinary) => peer.send(data, { binary: isBinary }));
      });
      await once(server, 'listening');
      try {
        await body(server, (server.address() as AddressInfo).port);
      } finally {
        for (const peer of server.clients) peer.terminate();
        server.close();
        await once(server, 'close');
      }
    });

  test('messages, megabytes both ways, and a clean end', async () => {
    await withServer(async (_, port) => {
      const socket = open(port);
      await once(socket, 'open');
      const received: string[] = [];
      socket.on('message', (data: Buffer) => received.push(data.toString()));
      for (const n of manyNumbers) socket.send(String(n));
      socket.send(large);
      while (received.length <= QUERIES) await once(socket, 'message');
      expect(received.slice(0, QUERIES)).toEqual(manyNumbers.map(String));
      expect(received[QUERIES] === large).toBe(true);
      socket.close(1000, 'done');
      const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
      expect([code, String(reason)]).toEqual([1000, 'done']);
    });
  });

  test('a server that is gone is told', async () => {
    await withServer(async (server, port) => {
      const socket = open(port);
      socket.on('error', () => undefined);
      await once(socket, 'open');
      const closed = once(socket, 'close');
      for (const peer of server.clients) peer.terminate();
      expect((await closed)[0]).toBe(1006);
    });
    await withClients(async () => {
      const socket = open(await freePort());
      const [error] = (await once(socket, 'error')) as [Error];
      expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    });
  });
});
