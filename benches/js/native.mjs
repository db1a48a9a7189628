// The core against the system whose behaviour it has: runs the benchmark in Rust, and reads what
// criterion writes.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../../", import.meta.url));
const target = `${root}target/bench-native`;
const criterion = `${target}/criterion`;

const manifest = `${root}benches/native/Cargo.toml`;
const bench = ["bench", "--manifest-path", manifest, "--target-dir", target, "--bench", "ingest"];
const settings = { cwd: root, env: { ...process.env, CRITERION_HOME: criterion } };

/** Compiles the benchmark, which takes a minute: what cargo says is shown. */
export async function compile() {
  const cargo = spawn("cargo", [...bench, "--no-run"], { ...settings, stdio: "inherit" });
  const [code] = await once(cargo, "exit");
  if (code !== 0) throw new Error("the native benchmark does not compile");
}

/** Median nanoseconds of one of the two, in the run that was last. */
async function lastMedian(name) {
  const file = `${criterion}/ingest_raw/${name}/new/estimates.json`;
  return JSON.parse(await readFile(file, "utf8")).median.point_estimate;
}

// Short, so that a machine that is slow for a while is so for both.
const SHORT = ["--warm-up-time", "0.2", "--measurement-time", "0.5", "--sample-size", "10"];

/** One run of criterion, in which both are measured one after the other. */
export async function compare() {
  // Ends with a slash, so that the other groups that begin like this one are left out.
  const options = ["--", "^ingest_raw/", "--noplot", ...SHORT];
  await promisify(execFile)("cargo", [...bench, ...options], settings);
  return { ours: await lastMedian("shardbus"), theirs: await lastMedian("net-mesh") };
}
