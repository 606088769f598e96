// A worker of a cluster answers one request of the primary process.
import cluster from 'node:cluster';
import http from 'node:http';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

if (cluster.isPrimary) {
  cluster.setupPrimary({ exec: fileURLToPath(import.meta.url), execArgv: [] });
  const worker = cluster.fork();
  worker.on('listening', ({ port }) => {
    http.get({ port, host: '127.0.0.1', agent: false }, (response) => {
      response.pipe(process.stdout);
      response.on('end', () => worker.disconnect());
    });
  });
} else {
  http.createServer((_request, response) => response.end('served by a worker\n')).listen(0, '127.0.0.1');
}
