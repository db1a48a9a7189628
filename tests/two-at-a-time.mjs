// @ts-check

/**
 * Runs a task for each item, two at a time, and returns the results in the order of the items. For
 * tasks that wait for most of their time: one computes while the other waits.
 *
 * @template Item, Result
 * @param {readonly Item[]} items
 * @param {(item: Item) => Promise<Result>} task
 * @returns {Promise<Result[]>}
 */
export async function twoAtATime(items, task) {
  /** @type {Result[]} */
  const results = [];
  const queue = items.entries();
  const work = async () => {
    // Both take from one queue.
    for (const [index, item] of queue) results[index] = await task(item);
  };
  await Promise.all([work(), work()]);
  return results;
}
