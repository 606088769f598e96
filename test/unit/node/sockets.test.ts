import { describe, expect, it } from 'vitest';
import { runBoth } from '../../support/faces.js';

describe('a process ends', () => {
  it('while a socket is paused that nobody closes', async () => {
    const lines = await runBoth(`
      const server = net.createServer((socket) => socket.unref()).listen(0, '127.0.0.1', () => {
        net.connect(server.address().port, '127.0.0.1', () => print('connected')).pause();
      });
      server.unref();`);
    expect(lines).toEqual(['connected']);
  });

  it('when both sides have ended and one of them never reads', async () => {
    const lines = await runBoth(`
      const server = net.createServer((socket) => { server.close(); socket.end(); }).listen(0, '127.0.0.1', () => {
        const socket = net.connect(server.address().port, '127.0.0.1');
        socket.on('end', () => { print(socket.writable); socket.write('unread'); });
        socket.on('close', () => print('closed'));
      });`);
    expect(lines).toEqual(['true', 'closed']);
  });

  it('not before a socket without references has connected and written', async () => {
    const lines = await runBoth(`
      let received = 0;
      const server = net.createServer((socket) => {
        socket.on('data', (chunk) => (received += chunk.length)).on('end', () => { print(received); server.close(); });
      }).listen(0, '127.0.0.1', () => {
        const socket = net.connect(server.address().port, '127.0.0.1').unref();
        socket.end(Buffer.alloc(5_000_000));
      });`);
    expect(lines).toEqual(['5000000']);
  });
});

describe('a connection that is reset while a write waits', () => {
  it('fails for its reader before the write ends', async () => {
    const lines = await runBoth(`
      const server = net.createServer((socket) => {
        server.close();
        socket.on('error', (error) => print('error ' + error.code)).on('close', () => print('close'));
        socket.resume().write(Buffer.alloc(50_000_000), (error) => print('written ' + error?.code));
      }).listen(0, '127.0.0.1', () => {
        const socket = net.connect(server.address().port, '127.0.0.1');
        socket.once('data', () => {
          socket.pause();
          setImmediate(() => socket.resetAndDestroy());
        });
      });`);
    expect(lines).toEqual(['error ECONNRESET', 'written undefined', 'close']);
  });
});

describe('a server that was closed', () => {
  it('leaves its port at once, and refuses connections', async () => {
    const lines = await runBoth(`
      const server = net.createServer().listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        server.close();
        const next = net.createServer().listen(port, '127.0.0.1', () => {
          next.close(() => {
            net.connect(port, '127.0.0.1').on('connect', () => print('connected')).on('error', (error) => print(error.code));
          });
        });
      });`);
    expect(lines).toEqual(['ECONNREFUSED']);
  });
});

it('a socket that is destroyed while it connects ends without a reset', async () => {
  const lines = await runBoth(`
    const server = net.createServer((socket) => {
      socket.on('error', (error) => print(error.code)).on('end', () => print('end')).resume();
      socket.on('close', () => server.close());
    }).listen(0, '127.0.0.1', () => {
      const socket = net.connect(server.address().port, '127.0.0.1');
      process.nextTick(() => process.nextTick(() => { print(socket.connecting); socket.destroy(); }));
    });`);
  expect(lines).toEqual(['true', 'end']);
});

describe('a handle', () => {
  it('that was closed refuses writes with EBADF', async () => {
    const lines = await runBoth(`
      const server = net.createServer().listen(0, '127.0.0.1', () => {
        const socket = net.connect(server.address().port, '127.0.0.1', () => {
          socket.on('error', (error) => { print(error.message); server.close(); });
          socket._handle.close();
          socket.write('late');
        });
      });`);
    expect(lines).toEqual(['write EBADF']);
  });

  it('refuses a text where bytes were announced', async () => {
    const lines = await runBoth(`
      const server = net.createServer().listen(0, '127.0.0.1', () => {
        const socket = net.connect(server.address().port, '127.0.0.1', () => {
          try { socket.write('text', 'buffer'); } catch (error) { print([error.code, error.message]); }
          socket.destroy();
          server.close();
        });
      });`);
    expect(lines).toEqual(['ERR_INVALID_ARG_TYPE,Second argument must be a buffer']);
  });

  it('tells of a path that cannot be connected to as Node does', async () => {
    const lines = await runBoth(`
      net.connect('/nowhere/at-all').on('error', (error) => print([error.message, error.code, error.syscall, error.address]));
      print('called');`);
    expect(lines).toEqual(['called', 'connect ENOENT /nowhere/at-all,ENOENT,connect,/nowhere/at-all']);
  });
});
