// Sends each TEXT to an echo server and prints what comes back.
//
//   node examples/echo-client.mjs HOST PORT TEXT ...
import process from 'node:process';
import { connect, run } from 'evloop';

const [host, port, ...texts] = process.argv.slice(2);

/** @param {{ host: string, port: number }} address */
async function main(address) {
  const stream = await connect(address);
  for (const text of texts) stream.write(`${text}\n`);
  // The server sees the end of the bytes, and answers with the end of its own.
  stream.closeWrite();
  for await (const chunk of stream) process.stdout.write(chunk);
  await stream.close();
}

if (host === undefined || port === undefined) {
  console.error('usage: echo-client.mjs HOST PORT TEXT ...');
  process.exitCode = 2;
} else {
  await run(() => main({ host, port: Number(port) }));
}
