// From where connect() connects.
import { describe, expect, test } from 'vitest';
import { connect } from '../../../src/io/open.js';
import { forms, outcome } from '../../support/forms.js';
import { NetServer, descriptorCount, until, withEventLoop } from '../../support/net.js';

const HOST = '127.0.0.1';

/** A port that nobody has. */
async function freePort(): Promise<number> {
  const server = await NetServer.open();
  const { port } = server;
  await server.close();
  return port;
}

describe.each(forms)('connect: in a $name', ({ call }) => {
  test('localAddress and localPort are what the peer sees', () =>
    withEventLoop(async () => {
      const server = await NetServer.open();
      const localPort = await freePort();
      for (const [options, address, port] of [
        [{ localAddress: '127.0.0.7' }, '127.0.0.7', null],
        [{ localPort }, HOST, localPort],
        [{ localAddress: '127.0.0.7', localPort }, '127.0.0.7', localPort],
      ] as const) {
        const accepted = server.next();
        const stream = await call(() => connect({ host: HOST, port: server.port, ...options }));
        const peer = await accepted;
        expect(peer.remoteAddress).toBe(address);
        expect(stream.info.local).toEqual({ family: 'IPv4', address, port: peer.remotePort });
        if (port !== null) expect(peer.remotePort).toBe(port);
        stream.abort();
        await stream.closed;
      }
      await server.close();
    }));

  test('localPort is used for several peers at once', () =>
    withEventLoop(async () => {
      const servers = [await NetServer.open(), await NetServer.open()];
      const localPort = await freePort();
      const streams = await Promise.all(
        servers.map(async ({ port }) => await call(() => connect({ host: HOST, port, localPort }))),
      );
      expect(streams.map(({ info }) => info.local?.port)).toEqual([localPort, localPort]);
      for (const stream of streams) {
        stream.abort();
        await stream.closed;
      }
      for (const server of servers) await server.close();
    }));

  test('a local end that cannot be had is an error, and leaves nothing open', () =>
    withEventLoop(async (loop) => {
      const server = await NetServer.open();
      const { port } = server;
      const before = descriptorCount();
      const fail = async (options: { localAddress?: string; localPort?: number }): Promise<unknown> =>
        await outcome(call(() => connect({ host: HOST, port, ...options })));
      // An address kept for documentation, which no machine has.
      expect(await fail({ localAddress: '192.0.2.1' })).toMatchObject({ code: 'EADDRNOTAVAIL' });
      // Somebody listens there.
      expect(await fail({ localAddress: HOST, localPort: port })).toMatchObject({ code: 'EADDRINUSE' });
      await until('the sockets are closed', () => descriptorCount() === before);
      expect(loop.statistics()).toMatchObject({ sockets: 0, references: 0 });
      await server.close();
    }));
});
