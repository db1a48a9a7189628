// @ts-check

// Starts receivers, and talks to them.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { within } from "../js/harness.mjs";

const program = fileURLToPath(new URL("receiver.mjs", import.meta.url));

// The signal by which `node --test` ends a file that takes too long; no receiver may outlive it.
process.once("SIGTERM", () => process.exit(1));

/** Starts a receiver on a port of its own. */
export async function startReceiver() {
  const child = fork(program);
  const exit = once(child, "exit");
  const hear = async () => {
    const [message] = await within(once(child, "message"), () => "the receiver says nothing");
    return message;
  };
  const port = await hear();
  /** @param {string | number} message */
  const ask = (message) => {
    const answer = hear();
    child.send(message);
    return answer;
  };
  return {
    url: `http://127.0.0.1:${port}/events`,
    /** Resolves when it is so. @param {import("./receiver.mjs").State} state */
    become: async (state) => void (await ask(state)),
    /** @returns {Promise<import("./receiver.mjs").Report>} */
    report: () => ask("report"),
    async stop() {
      child.disconnect();
      await exit;
    },
  };
}
