// The results as Markdown.

import { bars, show, verdict } from "./bars.mjs";
import { candidates } from "./candidates/index.mjs";

/** @param {string[]} head "-" before a name aligns its column to the right @param {string[][]} rows */
export function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const rule = head.map((name) => (name.startsWith("-") ? "---:" : "---"));
  return [head.map((name) => name.replace(/^-/, "")), rule, ...rows].map(line).join("\n");
}

const VERDICTS = { stretch: "met, and the stretch", bar: "met", no: "**not met**" };

export function barTable(results) {
  const rows = bars(results).map((bar) => {
    const sign = bar.atLeast ? "≥" : "≤";
    const limit = (value) => `${sign} ${value}${bar.unit ? ` ${bar.unit}` : ""}`;
    return [
      bar.id,
      bar.what,
      show(bar),
      limit(bar.bar),
      limit(bar.stretch),
      VERDICTS[verdict(bar)],
    ];
  });
  return table(["", "what", "-measured", "-bar", "-stretch", ""], rows);
}

/** The candidates that take the same input, the cheapest first. */
export function ranking(costs, input) {
  const names = Object.keys(costs).filter(
    (name) => (candidates[name].input === "object") === input,
  );
  return names.sort((a, b) => costs[a].microseconds.median - costs[b].microseconds.median);
}

const isOurs = (name) => candidates[name].group === "shardbus";
const emphasize = (name, text) => (isOurs(name) ? `**${text}**` : text);

export function costTable({ costs }, input) {
  const ours = costs[input ? "shardbus-ingest" : "shardbus-ingest-raw"].microseconds.median;
  const rows = ranking(costs, input).map((name) => {
    const { microseconds, bytes } = costs[name];
    const range = `${microseconds.min.toFixed(2)} to ${microseconds.max.toFixed(2)}`;
    return [
      emphasize(name, `\`${name}\``),
      candidates[name].about,
      emphasize(name, microseconds.median.toFixed(2)),
      range,
      (microseconds.median / ours).toFixed(2),
      bytes.median.toFixed(0),
    ];
  });
  const reference = input ? "`ingest`" : "`ingestRaw`";
  const head = ["", "", "-CPU µs/event", "-range", `-of ${reference}`, "-bytes/event"];
  return table(head, rows);
}

/** The measurements within one process, side by side for the runtimes. */
export function turnTable({ turns }) {
  const runtimes = [...new Set(turns.map(({ runtime }) => runtime))];
  const label = ({ ours, theirs, perTurn, strings }) =>
    `\`${ours}\` / \`${theirs}\` | ${perTurn} | ${strings}`;
  const rows = [...new Set(turns.map(label))].map((name) => [
    name,
    ...runtimes.map((runtime) => {
      const found = turns.find((each) => each.runtime === runtime && label(each) === name);
      return found.ratio.median.toFixed(2);
    }),
  ]);
  const columns = runtimes.map((name) => `-${name}`);
  return table(["turn by turn, main thread alone", "-events a turn", "strings", ...columns], rows);
}

const megabytes = ({ median }) => (median / 1e6).toFixed(1);

export function retentionTable({ retention }) {
  const rows = Object.entries(retention).map(([way, figures]) => {
    const { heapBytes, rssBytes, pauseMs } = figures;
    const cells = [way, megabytes(heapBytes), megabytes(rssBytes), pauseMs.median.toFixed(1)];
    return way === "shardbus" ? cells.map((cell) => `**${cell}**`) : cells;
  });
  return table(["held as", "-JS heap, MB", "-RSS, MB", "-full GC, ms"], rows);
}

/** CPU time of each candidate in each runtime. */
export function runtimeTable({ costs, elsewhere, environment }) {
  const all = [{ name: `Node ${environment.node}`, costs }, ...elsewhere];
  const names = [...ranking(costs, true), ...ranking(costs, false)];
  const rows = names.map((name) => [
    emphasize(name, `\`${name}\``),
    ...all.map((runtime) => runtime.costs[name].microseconds.median.toFixed(2)),
  ]);
  return table(["CPU µs/event", ...all.map(({ name }) => `-${name}`)], rows);
}

export function machine({ environment, plan }) {
  const { cpu, cores, memoryBytes, system, node, v8, date, load } = environment;
  const memory = `${(memoryBytes / 2 ** 30).toFixed(0)} GiB`;
  return `Measured ${date} (\`${plan}\`) on ${cores} × ${cpu}, ${memory}, ${system}, Node ${node} (V8 ${v8}), at a load of ${load.toFixed(1)} at the start.`;
}

export function markdown(results) {
  const parts = [machine(results), barTable(results)];
  const { costs, retention, elsewhere, turns } = results;
  if (turns !== undefined) parts.push(turnTable(results));
  if (costs !== undefined) {
    parts.push("Events as objects:", costTable(results, true));
    parts.push("Events that are JSON already:", costTable(results, false));
  }
  if (retention !== undefined) {
    parts.push(`${results.sizes.held.toLocaleString("en")} events held:`, retentionTable(results));
  }
  if (elsewhere?.length > 0) parts.push("In other runtimes:", runtimeTable(results));
  return `${parts.join("\n\n")}\n`;
}
