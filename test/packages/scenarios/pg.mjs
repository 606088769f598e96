// PostgreSQL: queries, pools, megabytes, notifications, and connections that the server ends.
import { once } from 'node:events';
import process from 'node:process';
import pg from 'pg';
import { digest, failureOf, HOST, tell, textOf } from './support.mjs';

const settings = {
  host: HOST,
  port: Number(process.env['POSTGRES_PORT']),
  user: 'postgres',
  database: 'postgres',
};

/** @param {string} host */
async function session(host) {
  const client = new pg.Client({ ...settings, host });
  await client.connect();
  tell('sum', (await client.query('SELECT $1::int + $2::int AS sum', [40, 2])).rows);
  tell('types', (await client.query("SELECT 1.5::float8, now() > '2000-01-01', ARRAY[1,2], NULL")).rows);
  const large = textOf(5_000_000);
  const { rows } = await client.query('SELECT $1::text AS back', [large]);
  tell('5 MB both ways', digest(rows[0].back));
  const { rows: many } = await client.query(
    'SELECT n, repeat(n::text, 10) FROM generate_series(1, 50000) AS n',
  );
  tell('rows', [many.length, many.at(-1)]);
  await client.query('CREATE TEMP TABLE items (id serial, name text)');
  await client.query('BEGIN');
  for (let n = 0; n < 50; n++) await client.query('INSERT INTO items (name) VALUES ($1)', [`item ${n}`]);
  await client.query('ROLLBACK');
  tell('rolled back', (await client.query('SELECT count(*) FROM items')).rows);
  tell('error', await failureOf(client.query('SELECT nonsense')));
  tell('after it', (await client.query('SELECT 1 AS one')).rows);
  await client.end();
  return 'ended';
}

tell('over TCP', await session(HOST));
tell('over a path', await session(process.env['POSTGRES_DIRECTORY'] ?? ''));

const pool = new pg.Pool({ ...settings, max: 10 });
const answers = await Promise.all(
  Array.from({ length: 300 }, async (_, n) => (await pool.query('SELECT $1::int AS n', [n])).rows[0].n),
);
tell('three hundred over ten', [answers.every((answer, n) => answer === n), pool.totalCount]);

const listener = new pg.Client(settings);
await listener.connect();
await listener.query('LISTEN news');
const heard = once(listener, 'notification');
await pool.query("NOTIFY news, 'something'");
const [{ channel, payload }] = await heard;
tell('notified', [channel, payload]);

const { rows } = await listener.query('SELECT pg_backend_pid() AS pid');
const sleeping = failureOf(listener.query('SELECT pg_sleep(60)'));
// Whether the client is told of a reset or of the end, and how often, is a matter of microseconds.
const broken = once(listener, 'error');
listener.on('error', () => undefined);
await pool.query('SELECT pg_terminate_backend($1)', [rows[0].pid]);
tell('terminated', await sleeping);
tell('told', (await broken).length);
const slow = new pg.Client({ ...settings, query_timeout: 100 });
await slow.connect();
tell('timeout', await failureOf(slow.query('SELECT pg_sleep(1)')));
await slow.end();
await pool.end();
