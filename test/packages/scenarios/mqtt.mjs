// A broker (aedes) and clients of MQTT: all qualities of service, retained messages, wills, reconnections.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Aedes } from 'aedes';
import mqtt from 'mqtt';
import { bytesOf, close, digest, HOST, listen, tell } from './support.mjs';

const broker = await Aedes.createBroker();
const server = createServer(broker.handle);
const url = `mqtt://${HOST}:${await listen(server)}`;
broker.on('client', (client) => tell('broker: client', client.id));
broker.on('clientDisconnect', (client) => tell('broker: gone', client.id));

const ann = await mqtt.connectAsync(url, { clientId: 'ann' });
const bob = await mqtt.connectAsync(url, { clientId: 'bob' });

/** @param {mqtt.MqttClient} client */
async function nextMessage(client) {
  const [topic, payload, { qos, retain }] = await once(client, 'message');
  return [topic, payload.length > 100 ? digest(payload) : String(payload), qos, retain];
}

await bob.subscribeAsync('news/#', { qos: 2 });
for (const qos of /** @type {const} */ ([0, 1, 2])) {
  for (const payload of [Buffer.alloc(0), Buffer.from('hello'), bytesOf(100_000), bytesOf(1_000_000)]) {
    const heard = nextMessage(bob);
    await ann.publishAsync(`news/${qos}`, payload, { qos });
    tell('heard', await heard);
  }
}
await ann.publishAsync('state', 'kept', { retain: true, qos: 1 });
const kept = nextMessage(bob);
await bob.subscribeAsync('state');
tell('retained', await kept);

let count = 0;
const all = new Promise((resolve) => bob.on('message', () => ++count === 1000 && resolve(null)));
await Promise.all(
  Array.from({ length: 1000 }, (_, n) => ann.publishAsync('news/many', String(n), { qos: 1 })),
);
await all;
tell('a thousand', count);
bob.removeAllListeners('message');

const cat = await mqtt.connectAsync(url, {
  clientId: 'cat',
  will: { topic: 'news/will', payload: Buffer.from('gone'), qos: 1 },
});
const will = nextMessage(bob);
const lost = once(broker, 'clientDisconnect');
cat.options.reconnectPeriod = 0;
/** @type {import('node:net').Socket} */ (/** @type {unknown} */ (cat.stream)).destroy();
await lost;
tell('will', await will);
cat.end(true);

bob.options.reconnectPeriod = 1;
const left = once(broker, 'clientDisconnect');
/** @type {import('node:net').Socket} */ (/** @type {unknown} */ (bob.stream)).destroy();
await left;
// It subscribes anew by itself, and is told of what was retained.
tell('retained, again', await nextMessage(bob));
await bob.subscribeAsync('again');
const again = nextMessage(bob);
await ann.publishAsync('again', 'still there');
tell('after reconnecting', await again);

for (const client of [ann, bob]) {
  const gone = once(broker, 'clientDisconnect');
  await client.endAsync();
  await gone;
}
await new Promise((resolve) => broker.close(() => resolve(null)));
await close(server);
