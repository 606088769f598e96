// Runs the TypeScript side of a program, a turn at a time, on a clock that only moves when nothing is ready.
import { EventLoop } from '../../../src/index.js';
import { FakeClock } from '../../support/clock.js';
import { log, setRun, state, type Program } from './program.js';

const TURN_LIMIT = 10_000;
// What depends on when garbage is collected is no part of a trace.
const IGNORED = /never retrieved|never read|still pending/i;

/** The trace of a program. */
export async function trace(program: Program): Promise<string[]> {
  const clock = new FakeClock();
  const loop = new EventLoop({ clock });
  const run = { loop, turn: 0, trace: [] as string[] };
  setRun(run);
  loop.setExceptionHandler((_, { message, exception }) => {
    if (!IGNORED.test(message)) log('unhandled', exception);
  });
  try {
    const main = loop.createTask(program.main());
    while (moveClock(loop, clock)) {
      if (++run.turn > TURN_LIMIT) throw new Error('the program does not come to rest');
      await oneTurn(loop);
    }
    if (state(main) !== 'result none') log('main:', main);
  } finally {
    setRun(null);
    loop.setExceptionHandler(() => undefined);
    loop.close();
  }
  return run.trace;
}

// Whether there is anything left to run.
function moveClock(loop: EventLoop, clock: FakeClock): boolean {
  const { ready, nextDeadline } = loop.statistics();
  if (ready > 0) return true;
  if (nextDeadline === Infinity) return false;
  clock.nowMs = Math.max(clock.nowMs, nextDeadline);
  return true;
}

async function oneTurn(loop: EventLoop): Promise<void> {
  loop.stop();
  try {
    await loop.runForever();
  } catch (error) {
    log('the run ends with', error);
  }
}
