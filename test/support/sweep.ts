// Runs a program again and again, and cancels something else in every run: each of its tasks before each
// step that the loop takes.
//
// The loop has a clock that only moves when nothing is ready, so every run does the same up to the
// cancellation. Where it cannot, as with sockets, `real` lets the loop have its own clock.
import { expect } from 'vitest';
import { Deque } from '../../src/base/deque.js';
import type { ExceptionContext } from '../../src/core/exception.js';
import type { Handle } from '../../src/core/handle.js';
import type { SchedulingPolicy } from '../../src/core/policy.js';
import { EventLoop } from '../../src/event-loop.js';
import type { Task } from '../../src/task/task.js';
import type { Awaitable } from '../../src/task/awaitable.js';
import type { Form } from './forms.js';
import { FakeClock } from './clock.js';
import { leftovers, nodeTurn, NOTHING_LEFT } from './loop.js';

const ROUND_LIMIT = 2_000;
// A program that waits for the kernel gets that long.
const PATIENCE_MS = 3_000;

/** What a program throws on purpose. */
export class Boom extends Error {}

/** What has statistics and may keep somebody waiting without need. */
interface Watched {
  statistics(): object;
}

/** A program while it runs. */
export type Steps<T = unknown> = Generator<Awaitable<any>, T>;

export interface Stage {
  readonly loop: EventLoop;
  readonly form: Form;
  /** Starts a task; what becomes of it is checked by the sweep unless it `mayFail`. */
  start<T>(name: string, body: () => Steps<T>): Task<T>;
  /** Makes a function for calls that take a body: in the form of the program. */
  body<T>(body: (...args: any[]) => Steps<T>): (...args: any[]) => Generator<unknown, T, unknown>;
  /** At rest nobody may wait at it without need, and at the end nobody at all. */
  watch<W extends Watched>(watched: W): W;
  /** Done once everything is at rest, to let those go on that wait for somebody who was cancelled. */
  onRest(end: () => void): void;
  /** Checked once everything has ended. */
  onEnd(check: () => void): void;
  /** The task that was cancelled, if one was. */
  readonly victim: Task<unknown> | null;
}

/** Sets a program up; called before the loop runs its first turn. */
export type Program = (stage: Stage) => void;

/** How a program is run. */
export interface SweepOptions {
  /** It waits for the kernel. */
  real?: boolean;
  /** Whether a victim may end otherwise than cancelled. */
  mayEnd?: (victim: Task<unknown>) => boolean;
  /** Whether a task that was started on stage may fail. */
  mayFail?: (task: Task<unknown>, error: Error) => boolean;
}

/** When to cancel whom. */
interface Cut {
  step: number;
  whom: number;
}

/** First in, first out, and tells before it gives. */
class Stepper implements SchedulingPolicy {
  readonly #handles = new Deque<Handle>();
  readonly isFifo: boolean;
  steps = 0;
  onStep: (step: number) => void = () => undefined;

  constructor(isFifo: boolean) {
    this.isFifo = isFifo;
  }

  get size(): number {
    return this.#handles.size;
  }

  push(handle: Handle): void {
    this.#handles.push(handle);
  }

  pop(): Handle | undefined {
    this.onStep(this.steps++);
    return this.#handles.shift();
  }
}

/** One run of a program. */
class Run implements Stage {
  readonly form: Form;
  readonly loop: EventLoop;
  victim: Task<unknown> | null = null;
  /** How many tasks there were before each step. */
  readonly alive: number[] = [];
  readonly #cut: Cut | null;
  readonly #options: SweepOptions;
  readonly #clock = new FakeClock();
  readonly #stepper: Stepper;
  // Nothing is cancelled any more.
  #isWinding = false;
  readonly #started: Task<unknown>[] = [];
  readonly #watched: Watched[] = [];
  readonly #rests: (() => void)[] = [];
  readonly #checks: (() => void)[] = [];
  readonly #errors: ExceptionContext[] = [];
  readonly #rejections: unknown[] = [];
  readonly #onRejection = (error: unknown): unknown => this.#rejections.push(error);

  constructor(form: Form, options: SweepOptions, isFifo: boolean, cut: Cut | null) {
    this.form = form;
    this.#options = options;
    this.#cut = cut;
    this.#stepper = new Stepper(isFifo);
    const common = { policy: this.#stepper, budgetMs: 1000 };
    this.loop = new EventLoop(options.real === true ? common : { ...common, clock: this.#clock });
    this.loop.setExceptionHandler((_, context) => this.#errors.push(context));
    this.#stepper.onStep = (step) => this.#beforeStep(step);
  }

  start<T>(name: string, body: () => Steps<T>): Task<T> {
    const coroutine = this.form.coroutine(body) as () => Generator<unknown, T, unknown>;
    const task = this.loop.createTask(coroutine, { name });
    this.#started.push(task);
    return task;
  }

  body<T>(body: (...args: any[]) => Steps<T>): (...args: any[]) => Generator<unknown, T, unknown> {
    return ((...args: unknown[]) => this.form.coroutine(() => body(...args))()) as never;
  }

  watch<W extends Watched>(watched: W): W {
    this.#watched.push(watched);
    return watched;
  }

  onRest(end: () => void): void {
    this.#rests.push(end);
  }

  onEnd(check: () => void): void {
    this.#checks.push(check);
  }

  async play(program: Program): Promise<void> {
    process.on('unhandledRejection', this.#onRejection);
    const finished = this.loop._start();
    try {
      await this.#act(() => program(this));
      for (const watched of this.#watched) expectNoIdleWaiter(watched);
      this.#isWinding = true;
      for (const end of this.#rests) await this.#act(end);
      this.#check();
    } finally {
      process.off('unhandledRejection', this.#onRejection);
      this.loop.setExceptionHandler(() => undefined);
      this.loop.stop();
      await finished;
      this.loop.close();
    }
  }

  // In a callback of the loop, as what is called there asks which loop runs.
  async #act(act: () => void): Promise<void> {
    this.loop.callSoon(act);
    await this.#rest();
  }

  #beforeStep(step: number): void {
    if (this.#isWinding) return;
    const tasks = this.loop.allTasks();
    this.alive.push(tasks.size);
    if (this.#cut?.step !== step) return;
    this.victim = [...tasks][this.#cut.whom] ?? null;
    this.victim?.cancel('swept');
  }

  async #rest(): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (let round = 0; !(await this.#isAtRest()); round++) {
      const isTooLong = this.#options.real === true ? performance.now() > deadline : round > ROUND_LIMIT;
      if (isTooLong) throw new Error(`The program does not come to rest: ${this.#describe()}`);
      this.#moveClock();
    }
  }

  // What async functions do goes on in promise jobs, which have run when Node's loop went round.
  async #isAtRest(): Promise<boolean> {
    await nodeTurn();
    const { ready, nextDeadline, sockets, references, tasks } = this.loop.statistics();
    if (ready > 0 || nextDeadline !== Infinity) return false;
    return this.#options.real !== true || sockets + references + tasks === 0;
  }

  #moveClock(): void {
    if (this.#options.real === true) return;
    const { ready, nextDeadline } = this.loop.statistics();
    if (ready > 0 || nextDeadline <= this.#clock.nowMs) return;
    this.#clock.nowMs = nextDeadline;
    // The loop looks at its clock in a turn.
    this.loop.callSoon(() => undefined);
  }

  #check(): void {
    expect(this.#describe(), 'tasks that wait for ever').toBe('');
    expect(leftovers(this.loop), 'what is left in the loop').toEqual(NOTHING_LEFT);
    for (const watched of this.#watched) expectNobody(watched);
    for (const task of this.#started) this.#checkEnding(task);
    for (const check of this.#checks) check();
    expect(this.#errors, 'errors that nobody expected').toEqual([]);
    expect(this.#rejections, 'rejections that nobody heard of').toEqual([]);
    const { victim } = this;
    if (victim === null || victim.cancelled() || this.#options.mayEnd?.(victim) === true) return;
    const how = victim.exception();
    throw new Error(`${victim.name} was cancelled and ended with ${how === null ? 'a result' : String(how)}`);
  }

  #checkEnding(task: Task<unknown>): void {
    if (task.cancelled()) return;
    const error = task.exception();
    if (error === null || this.#options.mayFail?.(task, error) === true) return;
    throw new Error(`${task.name} failed`, { cause: error });
  }

  #describe(): string {
    return [...this.loop.allTasks()].map((task) => task.stack()).join('\n');
  }
}

// Statistics are numbers and flags, whose names say what may not be so at the same time.
type Numbers = Record<string, number | boolean | undefined>;

function expectNoIdleWaiter(watched: Watched): void {
  const numbers = watched.statistics() as Numbers & { lock?: Numbers };
  const what = `${watched.constructor.name} ${JSON.stringify(numbers, (key, value: unknown) => (key === 'owner' ? undefined : value))}`;
  const { waiters, locked, value, isSet, availableTokens } = numbers;
  expect(waiters === undefined || waiters === 0 || locked !== false, what).toBe(true);
  expect(waiters === undefined || waiters === 0 || value === undefined || value === 0, what).toBe(true);
  expect(waiters === undefined || waiters === 0 || isSet !== true, what).toBe(true);
  expect(waiters === undefined || waiters === 0 || !(Number(availableTokens) > 0), what).toBe(true);
  if (numbers.lock !== undefined) expectNoIdleWaiter({ statistics: () => numbers.lock! });
  const { size, maxSize, capacity = maxSize, unfinished, tasksWaitingSend, tasksWaitingReceive } = numbers;
  const {
    tasksWaitingPut = tasksWaitingSend,
    tasksWaitingGet = tasksWaitingReceive,
    tasksWaitingJoin,
  } = numbers;
  if (tasksWaitingGet === undefined) return;
  const isThere = Number(size) > 0 || Number(tasksWaitingSend ?? 0) > 0;
  expect(isThere && Number(tasksWaitingGet) > 0, what).toBe(false);
  expect(Number(size) < Number(capacity) && Number(tasksWaitingPut) > 0, what).toBe(false);
  expect(unfinished === 0 && Number(tasksWaitingJoin) > 0, what).toBe(false);
}

function expectNobody(watched: Watched): void {
  const numbers = watched.statistics() as Numbers & { lock?: Numbers };
  const name = watched.constructor.name;
  for (const [key, value] of Object.entries(numbers)) {
    if (/^(waiters|waiting|borrowedTokens|tasksWaiting.*)$/.test(key)) {
      expect(value, `${key} of ${name}`).toBe(0);
    }
    if (key === 'locked') expect(value, `${key} of ${name}`).toBe(false);
  }
  if (numbers.lock !== undefined) expectNobody({ statistics: () => numbers.lock! });
}

/** Runs a program without a cancellation, and then with each one that is possible; returns how often. */
export async function sweep(form: Form, program: Program, options: SweepOptions = {}): Promise<number> {
  let runs = 0;
  // With a policy that is not first in, first out, the jobs of each step run before the next one: only then
  // is there nothing of an async function between the cancellation and the step.
  for (const isFifo of form.name === 'generator' ? [true, false] : [false]) {
    const whole = new Run(form, options, isFifo, null);
    await whole.play(program);
    runs++;
    for (const [step, alive] of whole.alive.entries()) {
      for (let whom = 0; whom < alive; whom++) {
        const run = new Run(form, options, isFifo, { step, whom });
        runs++;
        try {
          await run.play(program);
        } catch (error) {
          const place = `${run.victim?.name ?? 'nobody'} (${String(whom)}) cancelled before step ${String(step)}, FIFO ${String(isFifo)}`;
          throw new Error(`${place}: ${(error as Error).stack}`, { cause: error });
        }
      }
    }
  }
  return runs;
}

/** How a task ended: its result, or the name of its error. */
export function ending(task: Task<unknown>): unknown {
  if (!task.done()) return 'pending';
  if (task.cancelled()) return 'cancelled';
  return task.exception()?.name ?? task.result();
}
