// @ts-check
import { fileURLToPath } from "node:url";
import { startChild, versionOf } from "./children.mjs";
import { feed, startWorkerd, version } from "./workerd.mjs";

/** @typedef {import("./producer.mjs").Progress} Progress */
/** @typedef {{ tcp: string, webSocket: string }} Nats */
/** Which flights a producer offers: `count`, beginning with number `from`. @typedef {{ from: number, count: number }} Share */
/**
 * Produces, and reports its progress. `directory` is for its files.
 *
 * @typedef {(share: Share, nats: Nats, directory: string, tell: (progress: Progress) => void) => Promise<void>} Work
 */

const PROGRAM = fileURLToPath(new URL("producer.mjs", import.meta.url));

/** Runtimes that are programs, and their arguments before the name of a module. */
const PROGRAMS = [
  { name: "node", title: "Node", command: process.execPath, args: [] },
  {
    name: "deno",
    title: "Deno",
    command: process.env.DENO ?? "deno",
    args: ["run", "--no-prompt", "--allow-env", "--allow-net", "--allow-read", "--allow-sys"],
  },
  { name: "bun", title: "Bun", command: process.env.BUN ?? "bun", args: ["run"] },
];

/** A producer, and its last report. */
export class Producer {
  /** @type {Progress | undefined} */
  progress;
  /** The times of its first and last report, in milliseconds. */
  first = 0;
  latest = 0;
  #work;

  /** @param {string} name @param {string} runtime @param {Work} work */
  constructor(name, runtime, work) {
    this.name = name;
    this.runtime = runtime;
    this.#work = work;
  }

  /** @param {Share} share @param {Nats} nats @param {string} directory */
  run(share, nats, directory) {
    return this.#work(share, nats, directory, (progress) => {
      this.latest = performance.now();
      this.first ||= this.latest;
      this.progress = progress;
    });
  }
}

/** A producer for each runtime that is here, and the names of those that are not. */
export async function findProducers() {
  const producers = [];
  const missing = [];
  for (const { name, title, command, args } of PROGRAMS) {
    const found = await versionOf(command);
    if (found === undefined) missing.push(title);
    else producers.push(new Producer(name, `${title} ${found}`, runProgram(name, command, args)));
  }
  producers.push(new Producer("workerd", `workerd ${version}`, runWorker));
  return { producers, missing };
}

/** @param {string} name @param {string} command @param {string[]} args @returns {Work} */
function runProgram(name, command, args) {
  return async ({ from, count }, nats, _directory, tell) => {
    const env = { NAME: name, NATS: nats.tcp, FROM: `${from}`, COUNT: `${count}` };
    const onLine = (/** @type {string} */ line) => tell(JSON.parse(line));
    const status = await startChild(command, [...args, PROGRAM], { env, onLine }).ended;
    if (status !== 0) throw new Error(`${command} ended: ${status}.`);
  };
}

/** @type {Work} */
async function runWorker(share, nats, directory, tell) {
  const { url, ended } = await startWorkerd(directory, nats.webSocket);
  await Promise.race([feed(url, share, tell), ended]);
}
