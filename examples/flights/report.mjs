// @ts-check
import Table from "cli-table3";

/**
 * The accounting of one run as a table: where every offered event ended, zeros included.
 *
 * @param {object} run
 * @param {ReturnType<import("shardbus").EventBus["stats"]>} run.stats
 * @param {number} run.duplicates
 * @param {number} run.seconds
 * @returns {string}
 */
export function report({ stats, duplicates, seconds }) {
  const rows = [
    ["offered", stats.offered],
    ["accepted", stats.accepted],
    ["delivered", stats.delivered],
    ...Object.entries(stats.rejected).map(([reason, count]) => [
      // The producer of this demo waits and offers rejected events again, so none is lost as
      // "full".
      reason === "full" ? "rejected: full (offered again)" : `rejected: ${reason}`,
      count,
    ]),
    ["evicted", stats.evicted],
    ...Object.entries(stats.abandoned).map(([reason, count]) => [`abandoned: ${reason}`, count]),
    ["batches delivered", stats.batches.delivered],
    ["retries", stats.batches.retries],
    ["bytes delivered", stats.bytes.delivered],
    ["duplicates refused by the collector", duplicates],
    ["events/s, the collector's pauses included", Math.round(stats.delivered / seconds)],
  ];
  const table = new Table({
    colAligns: ["left", "right"],
    style: { border: [] }, // no colours: in a log they would be escape codes
    chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" }, // no line between rows
  });
  for (const [label, count] of rows) table.push([label, count.toLocaleString("en-US")]);
  return table.toString();
}
