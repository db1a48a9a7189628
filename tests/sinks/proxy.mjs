// @ts-check

// Stands between a client and its server, and can keep the server's answers to itself.
import { once } from "node:events";
import { connect, createServer } from "node:net";

/** @typedef {Awaited<ReturnType<typeof startProxy>>} Proxy */

/** @param {number} serverPort */
export async function startProxy(serverPort) {
  /** @type {Set<import("node:net").Socket>} */
  const sockets = new Set();
  /** Called for an answer that is kept back. @type {(() => void) | undefined} */
  let kept;

  const proxy = createServer({ noDelay: true }, (client) => {
    const server = connect({ port: serverPort, host: "127.0.0.1", noDelay: true });
    for (const socket of [client, server]) {
      sockets.add(socket);
      // An error closes it, and the close is passed on.
      socket.on("error", () => {});
      socket.once("close", () => {
        sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    client.pipe(server);
    server.on("data", (bytes) => {
      if (kept !== undefined) kept();
      else if (!client.write(bytes)) server.pause();
    });
    client.on("drain", () => server.resume());
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (proxy.address());

  return {
    port,
    /** Keeps back all answers from now on. Resolves once there was one: its client cannot know. */
    withhold: () => /** @type {Promise<void>} */ (new Promise((resolve) => (kept = resolve))),
    /** Refuses new connections from now on. */
    refuse: () => void proxy.close(),
    /** Ends all connections; the next ones get their answers. */
    cut() {
      for (const socket of sockets) socket.destroy();
      kept = undefined;
    },
    async stop() {
      proxy.close();
      this.cut();
      await once(proxy, "close");
    },
  };
}
