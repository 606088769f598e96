import { describe, expect, test } from 'vitest';
import { CancelledError } from '../../src/base/errors.js';
import { Interruption, validateSignals } from '../../src/signals.js';
import { run } from '../../src/run.js';
import { createTaskOn } from '../../src/task/create.js';
import { sleep } from '../../src/task/sleep.js';
import { runChild } from '../support/child.js';
import { fakeLoop } from '../support/fake-loop.js';

// Signals end processes, so each program runs in one of its own. `signal` sends it one.
async function outcome(
  program: string,
): Promise<{ code: number | null; signal: string | null; output: string[]; stderr: string }> {
  const { code, signal, stdout, stderr } = await runChild(
    `const signal = (name) => process.kill(process.pid, name);
     const log = (...parts) => console.log(...parts);
     ${program}`,
  );
  return { code, signal, output: stdout.split('\n').slice(0, -1), stderr };
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
])('%s cancels the main coroutine, and the program ends with %d', async (name, exitCode) => {
  const { code, output, stderr } = await outcome(`
    let loop;
    const main = async () => {
      loop = EventLoop.running();
      createTask(async () => {
        try {
          await sleep(60_000);
        } finally {
          await sleep(1);
          log('the other task has cleaned up');
        }
      });
      await sleep(1);
      signal('${name}');
      try {
        await sleep(60_000);
      } finally {
        log('main has cleaned up');
      }
    };
    try {
      await run(main, { signals: ['SIGINT', 'SIGTERM', 'SIGHUP'] });
    } catch (error) {
      log(isCancelled(error), error.reason, loop.isClosed(), process.listenerCount('${name}'));
    }
  `);
  expect({ code, output, stderr }).toEqual({
    code: exitCode,
    output: ['main has cleaned up', 'the other task has cleaned up', `true ${name} true 0`],
    stderr: '',
  });
});

test('a generator is cancelled where it waits, and a runner does the same', async () => {
  const { code, output } = await outcome(`
    const runner = new Runner({ signals: ['SIGTERM'] });
    await runner.run(async () => log('the first runs undisturbed'));
    const result = runner.run(function* () {
      yield;
      signal('SIGTERM');
      yield* sleep(60_000);
    });
    await result.catch((error) => log(String(error)));
    await runner.close();
  `);
  expect({ code, output }).toEqual({
    code: 143,
    output: ['the first runs undisturbed', 'CancelledError: Cancelled: SIGTERM'],
  });
});

test('the exit code stays when nobody catches the error, which Node shows', async () => {
  const { code, stderr } = await outcome(`
    await run(async () => {
      signal('SIGINT');
      await sleep(60_000);
    }, { signals: ['SIGINT'] });
  `);
  expect(code).toBe(130);
  expect(stderr).toContain('CancelledError: Cancelled: SIGINT');
});

test('an error that has nothing to do with the signal ends the program as always', async () => {
  const { code, stderr } = await outcome(`
    await run(async () => {
      signal('SIGINT');
      await sleep(60_000);
    }, { signals: ['SIGINT'] }).catch(() => undefined);
    throw new Error('another');
  `);
  expect(code).toBe(1);
  expect(stderr).toContain('another');
});

test('a coroutine that handles the cancellation decides what the program returns', async () => {
  const { code, output } = await outcome(`
    const main = async () => {
      signal('SIGTERM');
      try {
        await sleep(60_000);
      } catch (error) {
        process.exitCode = 3;
        return error.reason;
      }
    };
    log(await run(main, { signals: ['SIGTERM'] }));
  `);
  expect({ code, output }).toEqual({ code: 3, output: ['SIGTERM'] });
});

test('an exit code that is set already stays', async () => {
  const { code } = await outcome(`
    process.exitCode = 0;
    await run(async () => {
      signal('SIGTERM');
      await sleep(60_000);
    }, { signals: ['SIGTERM'] }).catch(() => undefined);
  `);
  expect(code).toBe(0);
});

test.each(['SIGTERM', 'SIGINT'])(
  'after the first signal another, %s, has its default action',
  async (name) => {
    const { signal, output } = await outcome(`
    await run(async () => {
      signal('SIGTERM');
      try {
        await sleep(60_000);
      } finally {
        log('cleaning up');
        signal('${name}');
        await sleep(60_000);
        log('not reached');
      }
    }, { signals: ['SIGTERM', 'SIGINT'] });
  `);
    expect({ signal, output }).toEqual({ signal: name, output: ['cleaning up'] });
  },
);

test('after the run a signal has its default action, and none came', async () => {
  const { signal, output } = await outcome(`
    await run(async () => {
      log(process.listenerCount('SIGTERM'));
      await sleep(1);
    }, { signals: ['SIGTERM', 'SIGTERM'] });
    log(process.listenerCount('SIGTERM'), process.exitCode);
    signal('SIGTERM');
    setTimeout(() => log('not reached'), 5000);
  `);
  expect({ signal, output }).toEqual({ signal: 'SIGTERM', output: ['1', '0 undefined'] });
});

test('listeners of others are left alone', async () => {
  const { code, output } = await outcome(`
    process.on('SIGTERM', () => log('heard'));
    await run(async () => {
      signal('SIGTERM');
      await sleep(60_000);
    }, { signals: ['SIGTERM'] }).catch((error) => log(error.reason));
    log(process.listenerCount('SIGTERM'));
  `);
  expect({ code, output }).toEqual({ code: 143, output: ['heard', 'SIGTERM', '1'] });
});

test('waiting for signals keeps no process alive', async () => {
  const { code, stderr } = await outcome(`
    await run(async () => await new Promise(() => undefined), { signals: ['SIGTERM'] });
  `);
  expect(code).toBe(13);
  expect(stderr).toContain('nothing is left that could wake its tasks');
});

test('nothing is listened for without the option', async () => {
  const before = process.eventNames();
  await run(async () => {
    expect(process.eventNames().filter((name) => String(name).startsWith('SIG'))).toEqual(
      before.filter((name) => String(name).startsWith('SIG')),
    );
    await sleep(1);
  });
});

describe('Interruption', () => {
  test('takes its listeners back', () => {
    const loop = fakeLoop();
    const task = createTaskOn(loop, function* () {
      yield;
    });
    const before = process.listenerCount('SIGUSR2');
    const interruption = new Interruption(['SIGUSR2', 'SIGUSR2'], task);
    expect(process.listenerCount('SIGUSR2')).toBe(before + 1);
    interruption.end();
    interruption.end();
    expect(process.listenerCount('SIGUSR2')).toBe(before);
    loop.run();
    expect(task.cancelled()).toBe(false);
  });

  test('leaves the error of a task alone that no signal cancelled', () => {
    const loop = fakeLoop();
    const task = createTaskOn(loop, function* () {
      yield;
    });
    const interruption = new Interruption(['SIGUSR2'], task);
    const error = new CancelledError('somebody');
    task.cancel('somebody');
    loop.run();
    expect(interruption.outcome(error)).toBe(error);
    expect(task.cancelling()).toBe(1);
    interruption.end();
  });
});

describe('validateSignals()', () => {
  test.each([[[]], [['SIGINT']], [['SIGTERM', 'SIGHUP', 'SIGUSR2']]])('accepts %j', (signals) => {
    expect(() => validateSignals('signals', signals)).not.toThrow();
  });

  test.each([[['SIGKILL']], [['SIGSTOP']], [['SIGINT', 'SIGNOPE']], [['toString']]])(
    'refuses %j',
    (signals) => {
      expect(() => validateSignals('signals', signals)).toThrow(
        expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }),
      );
    },
  );
});
