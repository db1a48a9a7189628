// @ts-check
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { endOf, startChild, versionOf } from "./children.mjs";

const HOW_TO_GET_IT =
  "Debian and Homebrew have it as nats-server, and https://github.com/nats-io/nats-server/releases has it for other systems. It is looked for in PATH, or where NATS_SERVER says.";

/**
 * Starts a NATS server with JetStream on free ports of 127.0.0.1: one for TCP, and one for
 * WebSockets, which is what Workers have.
 *
 * @param {string} directory where its streams are
 */
export async function startNats(directory) {
  const program = process.env.NATS_SERVER ?? "nats-server";
  const version = await versionOf(program);
  if (version === undefined) throw new Error(`There is no ${program}. ${HOW_TO_GET_IT}`);
  const config = join(directory, "nats.conf");
  await writeFile(
    config,
    `listen: "127.0.0.1:-1"
websocket { listen: "127.0.0.1:-1", no_tls: true }
jetstream { store_dir: ${JSON.stringify(directory)} }
`,
  );

  let log = "";
  /** @type {() => void} */
  let ready;
  const isReady = new Promise((resolve) => {
    ready = () => resolve(undefined);
  });
  const onLine = (/** @type {string} */ line) => {
    log += `${line}\n`;
    if (line.includes("Server is ready")) ready();
  };
  const child = startChild(program, ["--config", config], { fd: 2, onLine });
  const ended = endOf("nats-server", child);
  await Promise.race([isReady, ended]);
  /** @param {RegExp} pattern */
  const port = (pattern) => pattern.exec(log)?.[1];
  return {
    version,
    tcp: `nats://127.0.0.1:${port(/client connections on .*:(\d+)/)}`,
    webSocket: `ws://127.0.0.1:${port(/websocket clients on .*:(\d+)/)}`,
    ended,
  };
}
