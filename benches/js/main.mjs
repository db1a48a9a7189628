// Measures everything that a plan asks for, and reports it: `cargo xtask bench` runs this.

import { parseArgs } from "node:util";
import { candidates } from "./candidates/index.mjs";
import { comparisons, turnOptions } from "./comparisons.mjs";
import { environment } from "./environment.mjs";
import * as natively from "./native.mjs";
import { plans } from "./plans.mjs";
import { interleave, measure, thisNode } from "./processes.mjs";
import { report } from "./report.mjs";
import { otherRuntimes, turnRuntimes } from "./runtimes.mjs";
import { summary } from "./statistics.mjs";
import { workers } from "./workerd.mjs";

const { values } = parseArgs({
  options: {
    plan: { type: "string", default: "full" },
    only: { type: "string", multiple: true },
    save: { type: "boolean", default: false },
    "entry-bytes": { type: "string" },
    native: { type: "boolean", default: false },
  },
});
const plan = plans[values.plan];
if (plan === undefined) throw new Error(`the plans are ${Object.keys(plans).join(", ")}`);

const startedAt = performance.now();
function say(what) {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  process.stderr.write(`${seconds.padStart(5)} s  ${what}\n`);
}

/** The figures of each result by name, over its rounds. */
function summarize(results) {
  const entries = Object.entries(results).map(([name, rounds]) => {
    const figures = Object.keys(rounds[0]);
    const values = (figure) => rounds.map((round) => round[figure]);
    return [name, Object.fromEntries(figures.map((key) => [key, summary(values(key))]))];
  });
  return Object.fromEntries(entries);
}

const names = Object.keys(candidates);

/** The number of events for a candidate, and for its warm-up. */
function amounts(name, { events, slowEvents }) {
  const { warmUp, slowWarmUp } = plan;
  return candidates[name].isSlow ? { events: slowEvents, warmUp: slowWarmUp } : { events, warmUp };
}

/** The CPU time of each candidate, in a runtime. */
async function costs(size, runtime) {
  const jobs = names.map((candidate) => {
    const options = { candidate, ...amounts(candidate, size) };
    return [candidate, () => measure("cost", options, runtime)];
  });
  return summarize(await interleave(size.rounds, Object.fromEntries(jobs)));
}

/** The sections of the results, each of which can be measured by itself. */
const sections = {
  async verified() {
    const events = plan.verified;
    for (const candidate of names) await measure("cost", { candidate, events, verify: true });
    return { events };
  },
  costs: () => costs(plan, thisNode),
  async turns() {
    const results = [];
    for (const { name, ...runtime } of turnRuntimes()) {
      say(`  ${name}`);
      const job = (comparison) => () =>
        measure("turns", { ...turnOptions(comparison), ...plan.turns }, runtime);
      const jobs = Object.fromEntries(comparisons.map((each, i) => [i, job(each)]));
      const rounds = await interleave(plan.turnRounds, jobs);
      for (const [i, comparison] of comparisons.entries()) {
        const ratios = rounds[i].map((round) => round[comparison.ours].ratio);
        results.push({ ...comparison, runtime: name, ratio: summary(ratios) });
      }
    }
    return results;
  },
  async native() {
    if (!values.native) return undefined;
    await natively.compile();
    const { both } = await interleave(plan.nativeRounds, { both: natively.compare });
    return summarize({ both }).both;
  },
  async retention() {
    const ways = ["nothing", "objects", "strings", "bytes", "shardbus"];
    const job = (way) => () => measure("retention", { way, events: plan.held });
    const jobs = Object.fromEntries(ways.map((way) => [way, job(way)]));
    return summarize(await interleave(plan.heldRounds, jobs));
  },
  async curve() {
    const ways = ["objects", "strings", "shardbus"];
    const points = ways.flatMap((way) => plan.curve.map((events) => ({ way, events })));
    const job = (point) => () => measure("retention", point);
    const jobs = Object.fromEntries(points.map((point, i) => [i, job(point)]));
    const figures = summarize(await interleave(plan.curveRounds, jobs));
    return points.map((point, i) => ({ ...point, ...figures[i] }));
  },
  async backlog() {
    const job = (pending) => () => measure("backlog", { pending, events: plan.events });
    return summarize(await interleave(plan.rounds, { few: job(1000), many: job(plan.backlog) }));
  },
  async block() {
    const job = (callback) => () => measure("block", { callback });
    return summarize(
      await interleave(plan.rounds, { "at once": job("at once"), later: job("later") }),
    );
  },
  async startup() {
    const job = (module) => () => measure("startup", { module });
    const jobs = { empty: job("empty"), shardbus: job("shardbus") };
    return summarize(await interleave(plan.startRounds, jobs));
  },
  async workerd() {
    const { jobs, cleanUp } = await workers();
    try {
      return summarize(await interleave(plan.startRounds, jobs));
    } finally {
      await cleanUp();
    }
  },
  async elsewhere() {
    if (plan.elsewhere === undefined) return [];
    const results = [];
    for (const runtime of otherRuntimes()) {
      say(`  ${runtime.name}`);
      results.push({ name: runtime.name, costs: await costs(plan.elsewhere, runtime) });
    }
    return results;
  },
};

const results = { plan: values.plan, sizes: plan, environment: environment() };
for (const [name, run] of Object.entries(sections)) {
  if (values.only !== undefined && !values.only.includes(name)) continue;
  say(name);
  results[name] = await run();
}
await report(results, {
  entryBytes: values["entry-bytes"],
  save: values.save,
});
say("done");
