// Takes everything a server sends and prints how many bytes that was: node sink.mjs HOST PORT
import net from 'node:net';
import process from 'node:process';

const [host, port] = process.argv.slice(2);
let sizeBytes = 0;

net
  .connect({
    host,
    port: Number(port),
    onread: {
      buffer: Buffer.allocUnsafeSlow(2 ** 20),
      callback: (size) => {
        sizeBytes += size;
        return true;
      },
    },
  })
  .on('close', () => console.log(sizeBytes));
