// @ts-check
import { fileURLToPath } from "node:url";
import { startChild } from "./children.mjs";

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
  let title = `${name}, pid ${child.pid}`;
  let isOver = false;
  return {
    name,
    /** Its name in the table. */
    title: () => title,
    /** Its latest report. */
    progress: () => progress,
    /** Rejects if it fails. One that was killed has left its work to the others. */
    ended: child.ended.then((status) => {
      if (status === "SIGKILL") title = `${name}, killed`;
      else if (status !== 0 || !isOver) throw new Error(`The ${name} consumer ended: ${status}.`);
    }),
    /** Lets it finish its messages. */
    async stop() {
      isOver = true;
      child.signal("SIGTERM");
      await this.ended;
    },
  };
}
