// Replays programs that CPython 3.13 ran (scripts/record-asyncio-traces.py): generator tasks do the same
// things in the same turns.
import { expect, test } from 'vitest';
import { isCancelled } from '../../../src/base/errors.js';
import { createTaskOn } from '../../../src/task/create.js';
import { Future } from '../../../src/task/future.js';
import type { Task } from '../../../src/task/task.js';
import { fakeLoop } from '../../support/fake-loop.js';
import recorded from '../../support/asyncio-traces.json' with { type: 'json' };

type Op = [kind: string, ...args: any[]];
interface Recorded {
  bodies: Op[][];
  trace: unknown[][];
  outcomes: (string | null)[];
}

const RETURN = Symbol('return');
const FUTURES = 3;
const python = (value: unknown): unknown => value ?? null;

function outcome(future: Future<any> | null): string | null {
  if (future === null) return null;
  if (!future.done()) return 'pending';
  if (future.cancelled()) return 'cancelled';
  const error = future.exception();
  return error === null ? `result ${String(future.result() ?? 'None')}` : `error ${error.message}`;
}

function replay({ bodies }: Recorded): Omit<Recorded, 'bodies'> {
  const loop = fakeLoop();
  const futures = Array.from({ length: FUTURES }, () => new Future<string>(loop));
  const tasks: (Task<unknown> | null)[] = bodies.map(() => null);
  const trace: unknown[][] = [];
  const log = (who: number, ...what: unknown[]): unknown => trace.push([loop.turns, who, ...what]);

  function* body(index: number): Generator<unknown, unknown, unknown> {
    log(index, 'begin');
    try {
      yield* run(index, bodies[index]!);
    } catch (error) {
      if (error === RETURN) return `value ${String(index)}`;
      throw error;
    }
    return undefined;
  }

  function* run(who: number, ops: Op[]): Generator<unknown, void, unknown> {
    for (const [kind, ...args] of ops) yield* perform(who, kind, args);
  }

  function* perform(who: number, kind: string, args: any[]): Generator<unknown, void, unknown> {
    const future = futures[args[0]]!;
    const task = tasks[args[0]] ?? null;
    switch (kind) {
      case 'pause':
        yield;
        log(who, 'paused');
        break;
      case 'await':
        log(who, 'got', yield* future);
        break;
      case 'join':
        if (task !== null && args[0] !== who) log(who, 'joined', python(yield* task));
        break;
      case 'set':
        future.setResultUnlessDone(`result ${String(who)}`);
        break;
      case 'fail':
        if (!future.done()) future.setException(new RangeError(`failed by ${String(who)}`));
        break;
      case 'cancelFuture':
        log(who, 'cancelFuture', future.cancel());
        break;
      case 'cancel':
        if (task !== null) log(who, 'cancel', task.cancel(), task.cancelling());
        break;
      case 'cancelSelf':
        log(who, 'cancelSelf', tasks[who]!.cancel());
        break;
      case 'uncancel':
        log(who, 'uncancel', tasks[who]!.uncancel());
        break;
      case 'callback':
        future.addDoneCallback(() => log(who, 'callback', args[0]));
        break;
      case 'soon':
        loop.callSoon(() => log(who, 'soon'));
        break;
      case 'spawn':
        tasks[args[0]] ??= createTaskOn(loop, body(args[0]));
        break;
      case 'throw':
        throw new RangeError(`thrown by ${String(who)}`);
      case 'return':
        throw RETURN;
      case 'try':
        try {
          yield* run(who, args[0]);
        } catch (error) {
          if (error === RETURN) throw error;
          if (isCancelled(error)) log(who, 'caught cancelled');
          else log(who, 'caught', (error as Error).message);
          yield* run(who, args[1]);
        }
        break;
      case 'finally':
        try {
          yield* run(who, args[0]);
        } finally {
          log(who, 'finally');
          yield* run(who, args[1]);
        }
        break;
      default:
        throw new Error(`unknown ${kind}`);
    }
  }

  for (let index = 0; index < bodies.length - 1; index++) tasks[index] = createTaskOn(loop, body(index));
  loop.run();
  return { trace, outcomes: [...tasks, ...futures].map(outcome) };
}

test('programs do what they do on asyncio, in the same turns', () => {
  const programs = recorded as unknown as Recorded[];
  expect(programs.length).toBeGreaterThan(100);
  for (const program of programs) {
    const { trace, outcomes } = replay(program);
    const bodies = JSON.stringify(program.bodies);
    expect(trace, bodies).toEqual(program.trace);
    expect(outcomes, bodies).toEqual(program.outcomes);
  }
});
