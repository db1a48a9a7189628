// The core against the system whose behaviour it has: runs the benchmark in Rust, and reads what
// criterion writes.

import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../../", import.meta.url));
const target = `${root}target/bench-native`;
const criterion = `${target}/criterion`;

/** Median nanoseconds of one of the two, in the run that was last. */
async function lastMedian(name) {
  const file = `${criterion}/ingest_raw/${name}/new/estimates.json`;
  return JSON.parse(await readFile(file, "utf8")).median.point_estimate;
}

// Short, so that a machine that is slow for a while is so for both.
const SHORT = ["--warm-up-time", "0.2", "--measurement-time", "0.5", "--sample-size", "10"];

/** One run of criterion, in which both are measured one after the other. */
export async function compareNatively() {
  const manifest = `${root}benches/native/Cargo.toml`;
  const cargo = ["bench", "--manifest-path", manifest, "--target-dir", target, "--bench", "ingest"];
  // Ends with a slash, so that the other groups that begin like this one are left out.
  const options = ["--", "^ingest_raw/", "--noplot", ...SHORT];
  const env = { ...process.env, CRITERION_HOME: criterion };
  await promisify(execFile)("cargo", [...cargo, ...options], { cwd: root, env });
  return { ours: await lastMedian("shardbus"), theirs: await lastMedian("net-mesh") };
}
