// Link-local addresses with their interface, in a network of their own.
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { runChild } from '../support/child.js';

// Whoever is not root is so in a name space of its own.
const NETWORK = ['unshare', process.getuid?.() === 0 ? '-n' : '-rn'];
const SET_UP = 'ip link set lo up && ip -6 address add fe80::1/64 dev lo nodad && exec "$@"';
const PREFIX = [...NETWORK, 'sh', '-c', SET_UP, 'sh'];
const isPossible = spawnSync(PREFIX[0]!, [...PREFIX.slice(1), 'true']).status === 0;

const run = async (body: string): Promise<unknown> => {
  const { code, stdout, stderr } = await runChild(
    `const net = await import('node:net');
     const { once } = await import('node:events');
     const tell = (value) => console.log(JSON.stringify(value));
     const codeOf = async (work) => await work().then(() => 'none', (error) => error.code);
     await run(async () => {
       const loop = EventLoop.running();
       ${body}
     });`,
    { prefix: PREFIX },
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
};

test.runIf(isPossible).each(['fe80::1%lo', 'fe80::1%1'])('servers and connections have %s', async (host) => {
  const address = 'fe80::1%lo';
  expect(
    await run(`
      const host = '${host}';
      const accepted = loop.createFuture();
      const server = await listen(
        async (stream) => {
          if (!accepted.done()) accepted.setResult(stream.info);
          for await (const chunk of stream) await stream.send(chunk);
        },
        { host },
      );
      const stream = await connect({ host, port: server.port, localAddress: host });
      await stream.send('ping');
      const ours = [await accepted, stream.info].flatMap(({ local, peer }) => [local.address, peer.address]);
      const echoed = String(await stream.readExactly(4));
      await stream.close();
      const socket = net.connect({ host: 'fe80::1%lo', port: server.port });
      await loop.wrap(once(socket, 'connect'));
      tell({ ours, echoed, listening: server.addresses[0].address, ofNode: socket.remoteAddress });
      socket.destroy();
      await server.close();`),
  ).toEqual({
    ours: [address, address, address, address],
    echoed: 'ping',
    listening: address,
    ofNode: address,
  });
});

test.runIf(isPossible)(
  'one without an interface, or with none that there is, cannot be reached',
  async () => {
    expect(
      await run(`
      const hosts = ['fe80::1', 'fe80::1%77', 'fe80::1%none', 'fe80::1%lo'];
      const codes = [];
      for (const host of hosts) codes.push(await codeOf(async () => await connect({ host, port: 1 })));
      codes.push(await codeOf(async () => await listen(() => undefined, { host: 'fe80::1%none' })));
      tell(codes);`),
    ).toEqual(['EINVAL', 'ENETUNREACH', 'ENODEV', 'ECONNREFUSED', 'ENODEV']);
  },
);

test.runIf(isPossible)('datagrams come from them, and can be sent back there', async () => {
  expect(
    await run(`
      const one = await udp({ local: { host: 'fe80::1%lo' } });
      const other = await udp({ local: { host: 'fe80::1%1' } });
      one.send('ping', { address: 'fe80::1%1', port: other.info.local.port });
      const ping = await other.receive();
      other.send('pong', ping.address);
      const pong = await one.receive();
      tell([ping, pong].map(({ data, address }) => [String(data), address.address]));
      one.close();
      other.close();`),
  ).toEqual([
    ['ping', 'fe80::1%lo'],
    ['pong', 'fe80::1%lo'],
  ]);
});

test.runIf(isPossible)('look-ups and sockets of the caller have them', async () => {
  expect(
    await run(`
      const [found] = await loop.getAddrInfo('fe80::1%1', 80, { type: 'stream' });
      const name = await loop.getNameInfo({ address: 'fe80::1%lo', port: 80 }, ['numericHost']);
      const fd = loop.sock.create({ family: 'IPv6' });
      loop.sock.bind(fd, { address: 'fe80::1%1', port: 0 });
      tell([found.address, name.host, loop.sock.address(fd).address]);
      loop.sock.close(fd);`),
  ).toEqual(['fe80::1%lo', 'fe80::1%lo', 'fe80::1%lo']);
});
