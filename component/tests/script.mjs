// The parts of a script that are the same in every form of the bus.

/**
 * @typedef {{ attempts?: [number, number], holds?: string, every?: number, answer: string }} Rule
 * @typedef {{ offer: [payload: string, key: string | null][] } | { drain: number } | { kill: number } | "flush"} Step
 * @typedef {{ name: string, options: any, steps: Step[], rules: Rule[] }} Script
 */

/** The receiver's answer. @param {Script} script @param {number} sequence @param {number} attempt @param {string} body */
export function answer({ rules }, sequence, attempt, body) {
  const rule = rules.find(({ attempts: [first, last] = [1, attempt], holds = "", every = 1 }) => {
    return first <= attempt && attempt <= last && body.includes(holds) && sequence % every === 0;
  });
  return rule?.answer ?? "delivered";
}

/** An empty record of answers. */
export const noAnswers = () => ({
  accepted: /** @type {boolean[]} */ ([]),
  attempts: /** @type {Record<string, unknown[]>} */ ({}),
  lost: /** @type {Record<string, unknown[]>} */ ({}),
  drained: /** @type {string[]} */ ([]),
  counts: /** @type {Record<string, number>} */ ({}),
});

/** Adds to the list of a shard. @param {Record<string, unknown[]>} lists @param {number} shard @param {unknown} entry */
export function add(lists, shard, entry) {
  lists[shard] ??= [];
  lists[shard].push(entry);
}

/** The counts, in the names of JavaScript or of WIT. @param {any} stats */
export function counts(stats) {
  const { rejected, abandoned, batches } = stats;
  const all = {
    offered: stats.offered,
    accepted: stats.accepted,
    restored: stats.restored,
    full: rejected.full,
    sampled: rejected.sampled,
    oversize: rejected.oversize,
    invalid: rejected.invalid,
    closed: rejected.closed,
    delivered: stats.delivered,
    evicted: stats.evicted,
    retries: abandoned.retries,
    permanent: abandoned.permanent,
    shutdown: abandoned.shutdown,
    drained: stats.drained,
    pending: Number(stats.pending) + Number(stats.inFlight),
    batches: batches.delivered,
    repeated: batches.retries,
  };
  return Object.fromEntries(Object.entries(all).map(([name, count]) => [name, Number(count)]));
}
