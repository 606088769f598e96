// Native code of Node reads and writes through our handles: HTTP/2, and TLS on a socket that is there already.
import { describe, expect, it } from 'vitest';
import { makeCertificate } from '../../support/certificates.js';
import { runChild } from '../../support/child.js';
import { distUrl } from '../../support/dist.js';
import { runBoth } from '../../support/faces.js';

describe('HTTP/2 without TLS', () => {
  it('tells the other side why a session is destroyed', async () => {
    const lines = await runBoth(`
      import http2 from 'node:http2';
      const server = http2.createServer();
      server.on('session', (session) => session.on('error', () => {}));
      server.on('stream', (stream) => { stream.on('error', () => {}); stream.session.destroy(7); });
      server.listen(0, '127.0.0.1', () => {
        const client = http2.connect('http://127.0.0.1:' + server.address().port);
        client.on('error', (error) => print(error.message));
        client.request().on('error', () => {}).on('close', () => server.close());
      });`);
    expect(lines).toEqual(['Session closed with error code 7']);
  });

  it('over sockets of net knows both ends, and carries large bodies in both directions', async () => {
    const lines = await runBoth(`
      import http2 from 'node:http2';
      const server = http2.createServer((request, response) => {
        print(request.socket.remoteAddress);
        request.pipe(response);
      });
      const front = net.createServer((socket) => server.emit('connection', socket)).listen(0, '127.0.0.1', () => {
        const createConnection = () => net.connect(front.address().port, '127.0.0.1');
        const client = http2.connect('http://127.0.0.1', { createConnection });
        const stream = client.request({ ':method': 'POST' });
        let size = 0;
        stream.on('data', (chunk) => (size += chunk.length)).on('end', () => {
          print(size);
          client.close();
          front.close();
        });
        stream.end(Buffer.alloc(3_000_000));
      });`);
    expect(lines).toEqual(['127.0.0.1', '3000000']);
  });

  it('tells of a connection that is reset', async () => {
    const lines = await runBoth(`
      import http2 from 'node:http2';
      const server = net.createServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
      server.listen(0, '127.0.0.1', () => {
        const client = http2.connect('http://127.0.0.1:' + server.address().port);
        client.on('error', (error) => { print(error.code); server.close(); });
        client.request().on('error', (error) => print(error.code)).resume();
      });`);
    expect(lines.sort()).toEqual(['ECONNRESET', 'ECONNRESET']);
  });
});

describe('TLS on a socket that is connected', () => {
  const STARTTLS = `
    import tls from 'node:tls';
    const secure = (socket) => {
      const options = { key: process.env.KEY, cert: process.env.CERT, isServer: true };
      const secured = new tls.TLSSocket(socket, options);
      secured.pipe(secured);
    };
    const server = net.createServer((socket) => {
      socket.write('ready');
      secure(socket);
      server.close();
    }).listen(0, '127.0.0.1', () => {
      const plain = net.connect(server.address().port, '127.0.0.1');
      plain.once('data', (greeting) => {
        print(greeting);
        const secured = tls.connect({ socket: plain, rejectUnauthorized: false }, () => {
          let size = 0;
          secured.on('data', (chunk) => (size += chunk.length)).on('end', () => print(size));
          secured.end(Buffer.alloc(1_000_000));
        });
        secured.on('close', () => print('closed'));
      });
    });`;

  it('carries bytes in both directions, and ends', async () => {
    const { key, cert } = makeCertificate('localhost');
    const lines = await runBoth(STARTTLS, { KEY: key, CERT: cert });
    expect(lines).toEqual(['ready', '1000000', 'closed']);
  });
});

describe('the preload', () => {
  it('works where deprecations are switched off for good', async () => {
    const nodeArgs = ['--no-deprecation', '--import', distUrl('register')];
    const { code, stderr } = await runChild('', { modules: [], nodeArgs });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });
});
