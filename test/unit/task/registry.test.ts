import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TaskRegistry, type Linked } from '../../../src/task/registry.js';

class Member implements Linked<Member> {
  _previousTask: Member | null = null;
  _nextTask: Member | null = null;
  constructor(readonly id: number) {}
}

test('holds what was added and not removed, in order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 20 }), { maxLength: 100 }), (ids) => {
      const registry = new TaskRegistry<Member>();
      const model = new Map<number, Member>();
      for (const id of ids) {
        const member = model.get(id);
        if (member === undefined) {
          const added = new Member(id);
          model.set(id, added);
          registry.add(added);
        } else {
          model.delete(id);
          registry.remove(member);
          expect([member._previousTask, member._nextTask]).toEqual([null, null]);
        }
        expect(registry.size).toBe(model.size);
      }
      expect(registry.snapshot().map((member) => member.id)).toEqual([...model.keys()]);
    }),
  );
});
