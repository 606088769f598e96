// Redis: pipelines, transactions, blocking commands, subscriptions and reconnections.
import { once } from 'node:events';
import process from 'node:process';
import { Redis } from 'ioredis';
import { bytesOf, digest, failureOf, HOST, tell, textOf } from './support.mjs';

const address = { host: HOST, port: Number(process.env['REDIS_PORT']) };
const redis = new Redis(address);
await redis.flushall();
tell('set, get', [await redis.set('a', '1'), await redis.get('a'), await redis.incrby('a', 41)]);
await redis.set('bytes', bytesOf(5_000_000));
tell('5 MB both ways', digest(/** @type {Buffer} */ (await redis.getBuffer('bytes'))));
const pipeline = redis.pipeline();
for (let n = 0; n < 1000; n++) pipeline.rpush('list', n);
tell('pipeline', (await pipeline.exec())?.length);
tell('range', await redis.lrange('list', -3, -1));
tell('transaction', await redis.multi().incr('a').get('a').exec());
tell('error', await failureOf(redis.incr('list')));
tell('script', await redis.eval("return {KEYS[1], ARGV[1], 'x'}", 1, 'key', 'argument'));
const answers = await Promise.all(Array.from({ length: 1000 }, (_, n) => redis.echo(String(n))));
tell(
  'a thousand at once',
  answers.every((answer, n) => answer === String(n)),
);
await redis.hset('hash', { one: 1, two: textOf(10) });
tell('hash', await redis.hgetall('hash'));

const subscriber = new Redis(address);
await subscriber.subscribe('news', 'weather');
const heard = once(subscriber, 'message');
tell('receivers', await redis.publish('news', 'something'));
tell('heard', await heard);
await subscriber.quit();

const blocked = new Redis(address);
const popped = blocked.blpop('queue', 0);
await redis.rpush('queue', 'work');
tell('popped', await popped);

const id = await blocked.client('ID');
const reconnected = once(blocked, 'ready');
await redis.client('KILL', 'ID', id);
await reconnected;
tell('reconnected', [(await blocked.client('ID')) !== id, await blocked.ping()]);
await blocked.quit();

const onPath = new Redis({ path: process.env['REDIS_PATH'] ?? '' });
tell('on a path', await onPath.get('a'));
await onPath.quit();
const ended = once(redis, 'end');
await redis.quit();
await ended;
tell('status', redis.status);
