// @ts-check
import { fileURLToPath } from "node:url";
import { endOf, startChild } from "./children.mjs";

/** @typedef {ReturnType<typeof startConsumer>} Consumer */

const PROGRAM = fileURLToPath(new URL("consumer.mjs", import.meta.url));

/**
 * Starts a consumer of the group.
 *
 * @param {string} name
 * @param {string} nats the server's address
 * @param {string} collector the collector's
 */
export function startConsumer(name, nats, collector) {
  /** @type {import("./consumer.mjs").Progress | undefined} */
  let progress;
  const child = startChild(process.execPath, [PROGRAM], {
    env: { NAME: name, NATS: nats, COLLECTOR: collector },
    onLine: (line) => {
      progress = JSON.parse(line);
    },
  });
  return {
    name,
    /** The latest it told. */
    progress: () => progress,
    ended: endOf(`The ${name} consumer`, child),
    /** Lets it finish what it has. */
    async stop() {
      child.signal("SIGTERM");
      if ((await child.ended) !== 0) throw new Error(`The ${name} consumer did not end well.`);
    },
  };
}
