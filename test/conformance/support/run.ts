// Runs the TypeScript side of a program, a turn at a time, on a clock that only moves when nothing is ready.
import { EventLoop } from '../../../src/index.js';
import { FakeClock } from '../../support/clock.js';
import { log, setRun, state, type Program, type Run } from './program.js';

const TURN_LIMIT = 10_000;
// What depends on when garbage is collected is no part of a trace.
const IGNORED = /never retrieved|never read|still pending/i;

/** Runs a program; `isStrict` is the mode of its timeouts. */
export async function runProgram(program: Program, isStrict: boolean): Promise<Run> {
  const clock = new FakeClock();
  const loop = new EventLoop({ clock });
  const run: Run = { loop, turn: 0, trace: [], isStrict, hasTimeouts: false };
  setRun(run);
  loop.setExceptionHandler((_, { message, exception }) => {
    if (!IGNORED.test(message)) log('unhandled', exception);
  });
  try {
    if (program.program !== undefined) await program.program();
    else await drive(program.main!(), run, clock);
  } finally {
    setRun(null);
    loop.setExceptionHandler(() => undefined);
    loop.close();
  }
  return run;
}

async function drive(
  coroutine: Generator<unknown, unknown, unknown>,
  run: Run,
  clock: FakeClock,
): Promise<void> {
  const { loop } = run;
  const main = loop.createTask(coroutine);
  for (let turns = 0; !(await isOver(loop)); turns++) {
    if (turns > TURN_LIMIT) throw new Error('the program does not come to rest');
    run.turn = moveClock(loop, clock) ? 1 : run.turn + 1;
    await oneTurn(loop);
  }
  if (state(main) !== 'result none') log('main:', main);
}

// What async functions do goes on in promise jobs, which may have something to run yet.
async function isOver(loop: EventLoop): Promise<boolean> {
  if (isIdle(loop)) await new Promise((resolve) => setImmediate(resolve));
  return isIdle(loop);
}

function isIdle(loop: EventLoop): boolean {
  const { ready, nextDeadline } = loop.statistics();
  return ready === 0 && nextDeadline === Infinity;
}

// Returns whether it moved.
function moveClock(loop: EventLoop, clock: FakeClock): boolean {
  const { ready, nextDeadline } = loop.statistics();
  if (ready > 0 || nextDeadline <= clock.nowMs) return false;
  clock.nowMs = nextDeadline;
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
