// Sockets that a service manager opens, and hands to the process that it starts.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, existsSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { distUrl } from '../support/dist.js';
import { netConnect, received } from '../support/net.js';

// As a service manager does: the number of the process is known only once there is one.
const ACTIVATE = 'LISTEN_PID=$$ exec "$@"';

const SERVICE = `
  import { readFileSync } from 'node:fs';
  const { listen, listenFds, run } = await import(${JSON.stringify(distUrl('index'))});
  const fds = listenFds();
  const variables = Object.keys(process.env).filter((name) => name.startsWith('LISTEN_'));
  // 02000000 is O_CLOEXEC.
  const areKept = fds.map((fd) => {
    const flags = /flags:\\s*0*(\\d+)/.exec(readFileSync('/proc/self/fdinfo/' + fd, 'latin1'))[1];
    return (parseInt(flags, 8) & 0o2000000) !== 0;
  });
  await run(async () => {
    const servers = [];
    for (const fd of fds) {
      const handler = async (stream) => {
        stream.write('served: ' + String(await stream.readLine()));
        for (const server of servers) void server.close();
      };
      servers.push(await listen(handler, { fd }));
    }
    const addresses = servers.map((server) => server.addresses);
    console.log(JSON.stringify({ fds, again: listenFds(), variables, areKept, addresses }));
    for (const server of servers) await server.waitClosed();
  });
`;

/** The service with these sockets at 3 and up, and what it says about itself. */
async function start(
  servers: readonly net.Server[],
  env: Record<string, string>,
  command: readonly string[] = ['sh', '-c', ACTIVATE, 'sh'],
): Promise<{ service: ChildProcess; report: unknown; code: Promise<unknown[]> }> {
  const descriptors = servers.map((server) => (server as unknown as { _handle: { fd: number } })._handle.fd);
  const [file, ...args] = [...command, process.execPath, '--input-type=module', '--eval', SERVICE];
  const service = spawn(file, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit', ...descriptors],
    timeout: 10_000,
    killSignal: 'SIGKILL',
  });
  const code = once(service, 'close');
  const [text] = (await once(service.stdout!, 'data')) as [Buffer];
  return { service, report: JSON.parse(String(text)), code };
}

async function listening(options: net.ListenOptions): Promise<net.Server> {
  const server = net.createServer().listen(options);
  await once(server, 'listening');
  return server;
}

test('FD passing / accepted fd: the sockets of a service manager are served and closed', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'evloop-activation-'));
  const file = path.join(folder, 'socket');
  const tcp = await listening({ host: '127.0.0.1', port: 0 });
  const unix = await listening({ path: file });
  const { port } = tcp.address() as net.AddressInfo;
  const env = { LISTEN_FDS: '2', LISTEN_FDNAMES: 'web:control' };
  const { report, code } = await start([tcp, unix], env);
  expect(report).toEqual({
    fds: [3, 4],
    again: [],
    variables: [],
    areKept: [true, true],
    addresses: [[{ family: 'IPv4', address: '127.0.0.1', port }], [{ family: 'Unix', path: file }]],
  });
  // Only the service may answer from here on: closing ours would remove the file.
  unix.unref();
  tcp.close();
  const peer = await netConnect(port);
  peer.write('hello\n');
  expect(String(await received(peer))).toBe('served: hello\n');
  peer.destroy();
  expect(await code).toEqual([0, null]);
  // The file is that of the service manager.
  expect(existsSync(file)).toBe(true);
  unix.close();
  rmSync(folder, { recursive: true });
});

test.each([
  ['no variables', {}, undefined],
  ['another process', { LISTEN_FDS: '1', LISTEN_PID: '1' }, ['env']],
  ['no number', { LISTEN_FDS: '1x' }, undefined],
])('listenFds() finds nothing for %s', async (_, env, command) => {
  const server = await listening({ host: '127.0.0.1', port: 0 });
  const { report, code } = await start([server], env, command);
  expect(report).toMatchObject({ fds: [], variables: [], addresses: [] });
  expect(await code).toEqual([0, null]);
  server.close();
});
