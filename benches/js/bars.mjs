// The project's targets, and how the results compare with them.

import { compared } from "./statistics.mjs";

/**
 * @typedef {object} Bar
 * @property {string} id
 * @property {string} what
 * @property {number} value
 * @property {string} [unit] printed after the value
 * @property {number} bar
 * @property {number} stretch
 * @property {boolean} [atLeast] true if more is better
 */

/** Sizes have one digit after the point, other values two. @param {Bar} bar */
export const show = ({ value, unit }) =>
  `${value.toFixed(unit === "kB" ? 1 : 2)}${unit ? ` ${unit}` : ""}`;

/** "stretch", "bar" or "no": which of the two is met. @param {Bar} row */
export function verdict({ value, bar, stretch, atLeast = false }) {
  const meets = (limit) => (atLeast ? value >= limit : value <= limit);
  if (meets(stretch)) return "stretch";
  return meets(bar) ? "bar" : "no";
}

const ratio = (ours, theirs) => ours / theirs;

/** The rows that there are results for. @returns {Bar[]} */
export function bars(results) {
  const rows = [];
  const row = (id, what, value, bar, stretch, more) => {
    rows.push({ id, what, value, bar, stretch, ...more });
  };
  const { costs, turns, retention, backlog, block, startup, workerd } = results;
  for (const { id, ours, theirs, perTurn, runtime, ratio, bar, stretch } of turns ?? []) {
    const major = /\d+/.exec(runtime)?.[0];
    if (bar?.[major] === undefined) continue;
    const what = `\`${ours}\` / \`${theirs}\`, ${perTurn} a turn, ${runtime}`;
    row(id, what, ratio.median, bar[major], stretch);
  }
  if (costs !== undefined) {
    const against = (ours, theirs) =>
      compared(costs[ours].microseconds, costs[theirs].microseconds, ratio);
    const sdks = results.sdks.map((name) => [name, against(name, "shardbus-ingest")]);
    for (const [name, value] of sdks) {
      row("P4", `CPU of \`${name}\` / \`ingest(object)\``, value, 2.5, 3, { atLeast: true });
    }
    row(
      "P7",
      "CPU with 64 shards / with 1",
      against("shardbus-64-shards", "shardbus-keyed"),
      1.2,
      1.05,
    );
  }
  if (retention !== undefined) {
    const { nothing, shardbus } = retention;
    const grown = shardbus.rssBytes.median - nothing.rssBytes.median;
    const held = `${results.sizes.held.toLocaleString("en")} events held`;
    row("P5", `${held}: growth of the JS heap`, shardbus.heapBytes.median / 1e6, 1, 1, {
      unit: "MB",
    });
    row(
      "P5",
      `${held}: pause of a full GC / with none held`,
      compared(shardbus.pauseMs, nothing.pauseMs, ratio),
      1.3,
      1.1,
    );
    row(
      "P5",
      `${held}: growth of RSS / bytes of the events`,
      grown / shardbus.payloadBytes.median,
      1.25,
      1.1,
    );
  }
  if (results.native !== undefined) {
    const { ours, theirs } = results.native;
    row("P6", "time of native `ingest_raw` / `net-mesh`", compared(ours, theirs, ratio), 1, 0.7);
  }
  if (backlog !== undefined) {
    const { few, many } = backlog;
    const pending = results.sizes.backlog.toLocaleString("en");
    row(
      "P7",
      `CPU with ${pending} events pending / with 1,000`,
      compared(many.microseconds, few.microseconds, ratio),
      1.2,
      1.05,
    );
  }
  if (results.entryBytes !== undefined) {
    row("P8", "default entry, minified and gzipped", results.entryBytes / 1000, 30, 22, {
      unit: "kB",
    });
  }
  // CPU time, because a start waits for nothing, and its elapsed time depends on the machine's
  // load.
  const more = (ours, empty) => compared(ours, empty, (a, b) => a - b);
  const unit = "ms";
  if (startup !== undefined) {
    const { empty, shardbus } = startup;
    const beyond = (to) => more(shardbus[to], empty[to]);
    const what = "CPU of import, construct, first `ingest` beyond an empty module, Node";
    row("P9", what, beyond("cpuMs"), 5, 2, { unit });
    row("P9", "the same, to the end of the turn", beyond("turnCpuMs"), 7.3, 5, { unit });
    row("P9", "the same, until the first batch is sent", beyond("sentCpuMs"), 10, 7, { unit });
  }
  if (workerd !== undefined) {
    const { empty, shardbus, sent } = workerd;
    row("P9", "the same as the first, workerd", more(shardbus.cpuMs, empty.cpuMs), 5, 2, { unit });
    row("P9", "until the first batch is sent, workerd", more(sent.cpuMs, empty.cpuMs), 10, 7, {
      unit,
    });
  }
  if (block !== undefined) {
    const longest = Math.max(...Object.values(block).map(({ drainingMs }) => drainingMs.median));
    row("P10", "longest turn while a full ring of 8 MiB drains", longest, 2, 1, { unit: "ms" });
  }
  const byId = (a, b) =>
    a.id[0].localeCompare(b.id[0]) || Number(a.id.slice(1)) - Number(b.id.slice(1));
  return rows.sort(byId);
}
