// Two hundred clients that behave in all kinds of ways: servers on node:http and node:net see the same events in the
// same order on evloop as with plain Node.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WatchedServer } from '../support/behaviours/drive.mjs';
import { generateBehaviours, type Behaviour } from '../support/behaviours/generate.mjs';
import { distUrl } from '../support/dist.js';

const SEED = Number(process.env['EVLOOP_SEED'] ?? 1);
const COUNT = 200;
const AT_ONCE = 10;
// What the kernel and the scheduler decide differs from run to run with plain Node as well.
const REPETITIONS = 8;
const ATTEMPTS = 3;

let plain: WatchedServer;
let moved: WatchedServer;

beforeAll(() => {
  plain = new WatchedServer();
  moved = new WatchedServer({ nodeArgs: ['--import', distUrl('register')] });
});

afterAll(async () => {
  await Promise.all([plain.stop(), moved.stop()]);
});

interface Difference {
  plain: string[];
  moved: string[];
}

/** What happened on evloop and not once with plain Node, or null. */
async function compare(behaviour: Behaviour): Promise<Difference | null> {
  const [expected, seen] = await Promise.all([plain.meet(behaviour), moved.meet(behaviour)]);
  const wanted = JSON.stringify(seen);
  if (JSON.stringify(expected) === wanted) return null;
  for (let repetition = 0; repetition < REPETITIONS; repetition++) {
    if (JSON.stringify(await plain.meet(behaviour)) === wanted) return null;
  }
  return { plain: expected, moved: seen };
}

async function findDifference(behaviour: Behaviour): Promise<Difference | null> {
  let difference: Difference | null = null;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    difference = await compare(behaviour);
    if (difference === null) break;
  }
  return difference;
}

test(`${String(COUNT)} behaviours of clients, seed ${String(SEED)}`, { timeout: 120_000 }, async () => {
  const waiting = generateBehaviours(SEED, COUNT);
  const differences: unknown[] = [];
  const work = async (): Promise<void> => {
    for (let behaviour = waiting.shift(); behaviour !== undefined; behaviour = waiting.shift()) {
      const difference = await findDifference(behaviour);
      if (difference !== null) differences.push({ ...behaviour, ...difference });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  expect(differences).toEqual([]);
  expect([plain.uncaught, moved.uncaught]).toEqual([[], []]);
});
