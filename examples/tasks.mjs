// Tasks: coroutines that run side by side, can be waited for, and can be cancelled.
//
//   node examples/tasks.mjs
import { createTask, isCancelled, run, sleep } from 'evloop';

/**
 * Async functions are coroutines; every awaitable of evloop can be awaited.
 *
 * @param {string} dish
 * @param {number} ms
 */
async function cook(dish, ms) {
  await sleep(ms);
  return `${dish} is ready`;
}

/** Generators are coroutines as well, and cost less: `yield*` takes the place of `await`. */
function* wash() {
  let plates = 0;
  try {
    for (;;) {
      yield* sleep(10);
      plates++;
    }
  } finally {
    // Cancelling throws where the task waits, so this runs.
    console.log(plates > 0 ? 'some plates are clean' : 'no plate is clean');
  }
}

await run(async () => {
  const rice = createTask(() => cook('rice', 40));
  const soup = createTask(() => cook('soup', 20));
  const plates = createTask(wash);

  console.log(await soup);
  console.log(await rice);

  plates.cancel('dinner is served');
  try {
    await plates;
  } catch (error) {
    if (!isCancelled(error)) throw error;
    console.log('nobody washes any more');
  }
});
