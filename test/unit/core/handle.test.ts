import { expect, test } from 'vitest';
import {
  CallbackHandle,
  describeFunction,
  Handle,
  KIND_CALLBACK,
  KIND_STEP,
} from '../../../src/core/handle.js';
import { isCollected } from '../../support/garbage.js';
import { oneTurn, soon, withIdleLoop, withLoop } from '../../support/loop.js';

test('callbacks run once, in call order, with their arguments', () =>
  withLoop(async (loop) => {
    const calls: unknown[] = [];
    loop.callSoon(() => calls.push('a'));
    loop.callSoon((x, y) => calls.push([x, y]), 1, 'two');
    loop.callSoon((...args) => calls.push(args.length), 1, 2, 3, 4, 5);
    await soon(loop);
    await soon(loop);
    expect(calls).toEqual(['a', [1, 'two'], 5]);
  }));

test('what a batch schedules runs in the next one', () =>
  withIdleLoop(async (loop) => {
    const calls: string[] = [];
    loop.callSoon(() => {
      calls.push('first');
      loop.callSoon(() => calls.push('nested'));
    });
    loop.callSoon(() => calls.push('second'));
    await oneTurn(loop);
    expect(calls).toEqual(['first', 'second']);
    await oneTurn(loop);
    expect(calls).toEqual(['first', 'second', 'nested']);
  }));

test('a cancelled handle does not run', () =>
  withLoop(async (loop) => {
    const handle = loop.callSoon(() => expect.fail('ran'));
    expect(handle.cancelled()).toBe(false);
    handle.cancel();
    expect(handle.cancelled()).toBe(true);
    handle.cancel();
    expect(handle.cancelled()).toBe(true);
    await soon(loop);
  }));

test('cancelling reaches a handle that is part of the current batch', () =>
  withIdleLoop(async (loop) => {
    const calls: string[] = [];
    loop.callSoon(() => {
      calls.push('a');
      b.cancel();
    });
    const b = loop.callSoon(() => calls.push('b'));
    loop.callSoon(() => calls.push('c'));
    await oneTurn(loop);
    expect(calls).toEqual(['a', 'c']);
  }));

test('a promise job between two callbacks can cancel the second', () =>
  withIdleLoop(async (loop) => {
    const calls: string[] = [];
    loop.callSoon(() => {
      calls.push('a');
      void Promise.resolve().then(() => b.cancel());
    });
    const b = loop.callSoon(() => calls.push('b'));
    await oneTurn(loop);
    expect(calls).toEqual(['a']);
  }));

test('cancelling after the run is no error and does not run it again', () =>
  withLoop(async (loop) => {
    let runs = 0;
    const handle = loop.callSoon(() => runs++);
    await soon(loop);
    expect(handle.cancelled()).toBe(false);
    handle.cancel();
    await soon(loop);
    expect(runs).toBe(1);
  }));

test('a handle may cancel itself while it runs', () =>
  withLoop(async (loop) => {
    let runs = 0;
    const handle = loop.callSoon(() => {
      runs++;
      handle.cancel();
    });
    await soon(loop);
    expect(runs).toBe(1);
    expect(handle.cancelled()).toBe(true);
  }));

test('Symbol.dispose cancels', () =>
  withLoop(async (loop) => {
    const handle = loop.callSoon(() => expect.fail('ran'));
    handle[Symbol.dispose]();
    expect(handle.cancelled()).toBe(true);
    await soon(loop);
  }));

test('cancelling releases the callback and its arguments', () =>
  withIdleLoop(async (loop) => {
    function schedule(): { handles: Handle[]; held: WeakRef<object>[] } {
      const captured = { captured: true };
      const passed = { passed: true };
      const handles = [
        loop.callSoon((_: object) => void captured, passed),
        loop.callLater(1e6, (_: object) => void captured, passed),
      ];
      for (const handle of handles) handle.cancel();
      return { handles, held: [new WeakRef(captured), new WeakRef(passed)] };
    }
    const { handles, held } = schedule();
    for (const reference of held) expect(await isCollected(reference)).toBe(true);
    expect(handles.every((handle) => handle.cancelled())).toBe(true);
    await oneTurn(loop);
  }));

test('a handle of a kind of its own runs like any other', () =>
  withLoop(async (loop) => {
    const calls: string[] = [];
    class Step extends Handle {
      constructor() {
        super(KIND_STEP, null);
      }
      _run(): void {
        calls.push('step');
      }
      _describe(): string {
        return 'a step';
      }
    }
    const step = new Step();
    loop._push(step);
    loop.callSoon(() => calls.push('callback'));
    // Steps are reusable: the owner pushes them again and again.
    await soon(loop);
    loop._push(step);
    await soon(loop);
    expect(calls).toEqual(['step', 'callback', 'step']);
  }));

test('handles name their callbacks', () => {
  function named(): void {}
  expect(describeFunction(named)).toBe('named()');
  expect(describeFunction(() => undefined)).toBe('(anonymous)');
  expect(new CallbackHandle(named, [], null)._describe()).toBe('named()');
  expect(new CallbackHandle(named, [], null).kind).toBe(KIND_CALLBACK);
});

test('callSoonThreadsafe is callSoon in the thread of the loop', () =>
  withLoop(async (loop) => {
    const calls: number[] = [];
    loop.callSoonThreadsafe((n) => calls.push(n), 1);
    loop.callSoon((n) => calls.push(n), 2);
    await soon(loop);
    expect(calls).toEqual([1, 2]);
  }));
