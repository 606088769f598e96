// How a process or a thread ends, or fails, while a loop has sockets open; each in a process of its own.
import { describe, expect, test } from 'vitest';
import { runChild, type ChildOptions, type ChildResult } from '../support/child.js';
import { distUrl } from '../support/dist.js';

// A server that echoes, and what talks to it. Handlers of `handle` replace the echo.
const NETWORK = `
  const net = (await import('node:net')).default;
  const { once } = await import('node:events');
  const HOST = '127.0.0.1';
  const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  async function echo(stream) {
    for await (const chunk of stream) {
      if (!stream.write(chunk)) await stream.drain();
    }
  }
  async function open(port) {
    const socket = net.connect({ port, host: HOST });
    await once(socket, 'connect');
    return socket;
  }
  // What comes back for a text.
  async function ask(socket, text) {
    let answer = '';
    const onData = (chunk) => (answer += chunk);
    socket.on('data', onData);
    socket.write(text);
    while (answer.length < text.length) await once(socket, 'data');
    socket.off('data', onData);
    return answer;
  }
`;

// Starts a module with the package's exports as globals in a thread.
const workerOf = (body: string): string => {
  const program = `import * as evloop from ${JSON.stringify(distUrl('index'))};
    import { parentPort } from 'node:worker_threads';
    Object.assign(globalThis, evloop);
    ${NETWORK}
    ${body}`;
  return `new Worker(new URL(${JSON.stringify(`data:text/javascript,${encodeURIComponent(program)}`)}))`;
};

/** Runs a program that has NETWORK at hand. */
const runProgram = (body: string, options?: ChildOptions): Promise<ChildResult> =>
  runChild(`import { Worker } from 'node:worker_threads';\n${NETWORK}\n${body}`, options);

const ended = (code: number, ...lines: string[]): ChildResult => ({
  code,
  signal: null,
  stdout: lines.map((line) => `${line}\n`).join(''),
  stderr: '',
});

// Connections in every state that matters: `idle` waits for bytes, `pending` has bytes that nobody takes.
const OPEN_SOCKETS = `
  const loop = new EventLoop();
  void loop.runForever();
  const server = await listen(async (stream) => {
    const order = String(await stream.read());
    if (order === 'fill') stream.write(Buffer.alloc(64 << 20));
    if (order === 'exit') process.exit(3);
    await stream.closed;
  }, { host: HOST });
  const idle = await connect({ host: HOST, port: server.port });
  const pending = await connect({ host: HOST, port: server.port });
  pending.write(Buffer.alloc(64 << 20));
  const filled = await connect({ host: HOST, port: server.port });
  filled.write('fill');
  const socket = await open(server.port);
  await sleep(20);
  console.log(pending.writeBufferSize > 0);
`;

describe('a process ends', () => {
  test('when only things that do not keep it are left', async () => {
    const result = await runProgram(`
      const loop = new EventLoop();
      void loop.runForever();
      const server = await listen(echo, { host: HOST });
      const stream = await connect({ host: HOST, port: server.port });
      const accepted = loop.createFuture();
      const other = await listen(async (stream) => {
        accepted.setResult(stream.unref());
        await stream.closed;
      }, { host: HOST });
      const silent = await connect({ host: HOST, port: other.port });
      silent.write(Buffer.alloc(64 << 20));
      await accepted;
      stream.write('still here');
      console.log(String(await stream.read()));
      await stream.close();
      silent.unref();
      server.unref();
      other.unref();
      loop.callLater(60_000, () => console.log('never')).unref();
      process.on('exit', () => console.log('left', loop.statistics().sockets, silent.writeBufferSize > 0));
    `);
    expect(result).toEqual(ended(0, 'still here', 'left 4 true'));
  });

  test('when the loop itself does not keep it', async () => {
    const result = await runProgram(`${OPEN_SOCKETS}
      socket.unref();
      loop.callLater(60_000, () => console.log('never'));
      loop.unref();
      process.on('exit', () => console.log('left', loop.statistics().sockets > 4));
    `);
    expect(result).toEqual(ended(0, 'true', 'left true'));
  });

  test('when the last that kept it is let go outside of a turn', async () => {
    const result = await runProgram(`
      const loop = new EventLoop();
      void loop.runForever();
      setTimeout(() => loop.unref(), 5);
    `);
    expect(result).toEqual(ended(0));
  });

  test.each([
    ['a callback', 'loop.callSoon(() => process.exit(3));'],
    ['a timer', 'loop.callLater(5, () => process.exit(3));'],
    ['a promise job of a callback', 'loop.callSoon(() => Promise.resolve().then(() => process.exit(3)));'],
    ['a task of generator form', 'createTask(function* () { yield* sleep(1); process.exit(3); });'],
    ['a handler of streams', `socket.write('exit');`],
    [
      'a protocol',
      `const exits = await loop.createServer(() => ({ dataReceived: () => process.exit(3) }), { host: HOST });
       (await open(exits.port)).write('exit');`,
    ],
    ['a Node timer', 'setTimeout(() => process.exit(3), 5);'],
    [
      'a callback, with an exit listener that uses the loop',
      `process.on('exit', () => {
         idle.write('too late');
         idle.close();
         server.close();
         loop.callSoon(() => console.log('never'));
         loop.stop();
       });
       loop.callSoon(() => process.exit(3));`,
    ],
  ])('with the code of process.exit() in %s, with sockets open and writes pending', async (_, body) => {
    expect(await runProgram(OPEN_SOCKETS + body)).toEqual(ended(3, 'true'));
  });

  test('a thread ends with the code of its process.exit()', async () => {
    const worker = workerOf(`${OPEN_SOCKETS.replace('console.log(', '(')}
      loop.callSoon(() => process.exit(3));`);
    const result = await runProgram(`
      for (let round = 0; round < 5; round++) console.log(...(await once(${worker}, 'exit')));
    `);
    expect(result).toEqual(ended(0, '3', '3', '3', '3', '3'));
  });
});

// What a thread does when it is terminated, and what the main thread does meanwhile with its `sockets`.
const threads: [string, { work: string; meanwhile: string }][] = [
  ['sleeps in the poller', { work: '', meanwhile: 'await delay(20);' }],
  [
    'sleeps in the poller with a timer',
    { work: 'EventLoop.running().callLater(60_000, echo);', meanwhile: 'await delay(20);' },
  ],
  [
    'runs callback after callback',
    {
      work: `const loop = EventLoop.running();
             (function again() { loop.callSoon(again); })();`,
      meanwhile: 'await delay(5);',
    },
  ],
  [
    'does not come back from a callback',
    {
      work: `EventLoop.running().callLater(5, () => { for (;;); });`,
      meanwhile: 'await delay(20);',
    },
  ],
  [
    'accepts and echoes',
    {
      work: '',
      meanwhile: `for (let i = 0; i < 30; i++) sockets.push(net.connect({ port, host: HOST }));
                  for (const socket of sockets) {
                    socket.on('error', () => undefined).on('data', (chunk) => socket.write(chunk));
                    socket.write(Buffer.alloc(20_000));
                  }
                  await delay(round % 10);`,
    },
  ],
];

// Starting twenty threads takes a while on a busy machine.
const PATIENT: ChildOptions = { timeoutMs: 18_000 };

test.each(threads)('C-123 20 threads are terminated while their loop %s', async (_, { work, meanwhile }) => {
  const worker = workerOf(`
    await run(async () => {
      const server = await listen(echo, { host: HOST });
      parentPort.postMessage(server.port);
      // Until the main thread has its connections.
      await new Promise((resolve) => parentPort.once('message', resolve));
      ${work}
      await server.waitClosed();
    });`);
  const result = await runProgram(
    `
    const { readdirSync } = await import('node:fs');
    const descriptors = () => readdirSync('/proc/self/fd').length;
    // Node keeps one in reserve once it had a server or a socket.
    await new Promise((resolve) => net.createServer().listen(0).close(resolve));
    const before = descriptors();
    for (let round = 0; round < 20; round++) {
      const worker = ${worker};
      const [port] = await once(worker, 'message');
      const sockets = [await open(port), await open(port), await open(port)];
      await ask(sockets[0], 'hello');
      worker.postMessage('go');
      ${meanwhile}
      const closed = sockets.map((socket) => {
        socket.on('error', () => undefined).resume();
        return new Promise((resolve) => socket.once('close', resolve));
      });
      console.log(await worker.terminate());
      // The thread's end of them is closed, and so is what waited to be accepted.
      await Promise.all(closed);
    }
    console.log('more descriptors:', descriptors() - before);
  `,
    PATIENT,
  );
  expect(result).toEqual(ended(0, ...Array<string>(20).fill('1'), 'more descriptors: 0'));
});

test('loops in two threads and in the main one serve at once and end', async () => {
  const worker = workerOf(`
    await run(async () => {
      const server = await listen(echo, { host: HOST });
      parentPort.postMessage(server.port);
      await new Promise((resolve) => parentPort.once('message', resolve));
      await server.close();
    });`);
  const result = await runProgram(`
    const workers = [${worker}, ${worker}];
    const exits = workers.map((worker) => once(worker, 'exit'));
    await run(async () => {
      const server = await listen(echo, { host: HOST });
      const ports = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]));
      ports.push(server.port);
      let rounds = 0;
      const talk = async (stream, text) => {
        for (let i = 0; i < 100; i++) {
          stream.write(text);
          let answer = '';
          while (answer.length < text.length) answer += await stream.read();
          if (answer !== text) throw new Error('wrong bytes came back');
          rounds++;
        }
        await stream.close();
      };
      const talks = Array.from({ length: 30 }, async (_, i) =>
        talk(await connect({ host: HOST, port: ports[i % 3] }), String(i).repeat(1000)));
      await Promise.all(talks);
      console.log(rounds);
      await server.close();
    });
    for (const worker of workers) worker.postMessage('end');
    for (const [code] of await Promise.all(exits)) console.log(code);
  `);
  expect(result).toEqual(ended(0, '3000', '0', '0'));
});

// A loop with a server and two clients: a stream of this loop, and a socket of Node.
const SERVING = `
  const loop = new EventLoop();
  void loop.runForever();
  const server = await listen(echo, { host: HOST });
  const stream = await connect({ host: HOST, port: server.port });
  const socket = await open(server.port);
  console.log(await ask(socket, 'before'));
`;

const uncaught: [string, string][] = [
  ['a Node timer', `setTimeout(() => { throw new Error('boom'); }, 5);`],
  ['process.nextTick()', `process.nextTick(() => { throw new Error('boom'); });`],
  [
    'a listener of a Node socket',
    `socket.once('data', () => { throw new Error('boom'); }); socket.write('x');`,
  ],
  [
    'process.nextTick() of a callback that another one waits behind',
    `loop.callSoon(() => process.nextTick(() => { throw new Error('boom'); }));
     loop.callSoon(() => undefined);`,
  ],
  ['a promise that nobody handles', `loop.callSoon(() => void Promise.reject(new Error('boom')));`],
];

async function endsWithError(fail: string): Promise<void> {
  const { stderr, ...result } = await runProgram(SERVING + fail);
  expect(result).toEqual({ code: 1, signal: null, stdout: 'before\n' });
  expect(stderr).toContain('Error: boom');
}

async function goesOnAfter(fail: string): Promise<void> {
  const result = await runProgram(`${SERVING}
    const caught = new Promise((resolve) => process.on('uncaughtException', resolve));
    ${fail}
    console.log((await caught).message);
    await sleep(5);
    // What was open goes on, and so does what comes.
    stream.write('stream');
    console.log(String(await stream.read()));
    socket.removeAllListeners('data');
    const late = await open(server.port);
    console.log(await ask(late, 'new connection'));
    console.log(await ask(socket, 'old connection'));
    process.exit(0);
  `);
  expect(result).toEqual(ended(0, 'before', 'boom', 'stream', 'new connection', 'old connection'));
}

test.each(uncaught)('an uncaught error in %s ends a process that serves', (_, fail) => endsWithError(fail));

test.each(uncaught)('an uncaught error in %s that somebody handles leaves the loop sound', (_, fail) =>
  goesOnAfter(fail),
);

// The signal comes from outside, while the process sleeps.
const SIGNAL = `
  const { spawn } = await import('node:child_process');
  spawn('sh', ['-c', 'sleep 0.05; kill -TERM ' + process.pid]).unref();
`;

describe('SIGTERM', () => {
  test('ends a process that serves', async () => {
    const result = await runProgram(SERVING + SIGNAL);
    expect(result).toEqual({ code: null, signal: 'SIGTERM', stdout: 'before\n', stderr: '' });
  });

  test('lets a listener close the server', async () => {
    const result = await runProgram(`${SERVING}
      process.once('SIGTERM', async () => {
        server.closeClients();
        await server.close();
        console.log('closed', server.connectionCount);
        await stream.close();
        loop.stop();
      });
      socket.resume().once('end', () => console.log('end'));
      ${SIGNAL}
    `);
    expect({ ...result, stdout: result.stdout.split('\n').sort() }).toEqual({
      code: 0,
      signal: null,
      stdout: ['', 'before', 'closed 0', 'end'],
      stderr: '',
    });
  });
});

describe('the collector', () => {
  const options: ChildOptions = { nodeArgs: ['--expose-gc'] };

  test('takes nothing that the loop still needs', async () => {
    // Functions, so that nothing is held by the program itself.
    const result = await runProgram(
      `
      async function collect() {
        for (let round = 0; round < 5; round++) {
          await delay(2);
          gc();
        }
      }
      function start() {
        const loop = new EventLoop();
        void loop.runForever();
      }
      async function serve() {
        const server = await listen(echo, { host: HOST });
        return server.port;
      }
      async function serveProtocol() {
        const echoing = () => {
          let transport;
          return {
            connectionMade: (made) => void (transport = made),
            dataReceived: (chunk) => void transport.write(chunk),
          };
        };
        const server = await EventLoop.running().createServer(echoing, { host: HOST });
        return server.port;
      }
      // A stream that only its reader knows, which only the stream knows.
      async function greet(port) {
        const stream = await connect({ host: HOST, port });
        void (async () => console.log('a client', String(await stream.read())))();
      }
      const counts = {};
      function repeat(name) {
        counts[name] = 0;
        const again = () => {
          counts[name]++;
          EventLoop.running().callLater(1, again);
        };
        again();
      }
      function promise() {
        const loop = EventLoop.running();
        const future = loop.createFuture();
        future.addDoneCallback(() => console.log('the future'));
        loop.callLater(100, (f) => f.setResult(), future);
        void sleep(100).then(() => console.log('the sleeper'));
        createTask(function* () { yield* sleep(100); console.log('the task'); });
      }
      start();
      const ports = [await serve(), await serveProtocol()];
      const clients = new Set();
      const greeter = net.createServer((socket) => clients.add(socket)).listen(0, HOST);
      await once(greeter, 'listening');
      await greet(greeter.address().port);
      repeat('timer');
      promise();
      const sockets = await Promise.all(ports.map(open));
      for (const socket of sockets) await ask(socket, 'first');
      await collect();
      const count = counts.timer;
      for (const socket of sockets) console.log(await ask(socket, 'an open connection'));
      await collect();
      for (const port of ports) console.log(await ask(await open(port), 'a new connection'));
      for (const socket of clients) socket.write('is told');
      await delay(200);
      console.log('the timer', counts.timer > count);
      process.exit();
      `,
      options,
    );
    const { stdout, ...rest } = result;
    expect(rest).toEqual({ code: 0, signal: null, stderr: '' });
    expect(stdout.trim().split('\n').sort()).toEqual([
      'a client is told',
      'a new connection',
      'a new connection',
      'an open connection',
      'an open connection',
      'the future',
      'the sleeper',
      'the task',
      'the timer true',
    ]);
  });

  test.each([
    ['closes', `await stream.close();`],
    ['aborts', `stream.abort(); await stream.closed;`],
    ['has cancelled its read and closes', `const read = stream.read(); read.cancel(); await stream.close();`],
  ])('takes the streams of 200 connections whose client %s', async (_, end) => {
    const result = await runProgram(
      `
      const seen = [];
      await run(async () => {
        const server = await listen(async (stream) => {
          seen.push(new WeakRef(stream));
          await echo(stream);
        }, { host: HOST });
        async function talk() {
          const stream = await connect({ host: HOST, port: server.port });
          seen.push(new WeakRef(stream));
          stream.write('hello');
          await stream.read();
          ${end}
        }
        for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 10 }, talk));
        while (server.connectionCount > 0) await sleep(1);
        for (let round = 0; round < 5; round++) {
          await delay(2);
          gc();
        }
        const left = seen.filter((stream) => stream.deref() !== undefined).length;
        console.log(seen.length, left <= 5 ? 'few' : left, 'left');
        await server.close();
      });
      `,
      options,
    );
    // An aborted connection fails the handler's read, which is told.
    expect({ ...result, stderr: '' }).toEqual(ended(0, '400 few left'));
  });
});
