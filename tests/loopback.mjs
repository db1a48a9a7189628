// @ts-check

import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createSocketServer } from "node:net";

/**
 * Serves requests on 127.0.0.1, until it is stopped.
 *
 * @param {import("node:http").RequestListener} answer
 * @param {number} [at] the port; a free one, if it is left out
 */
export async function serve(answer, at = 0) {
  const server = createServer(answer);
  server.listen(at, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** A port of 127.0.0.1 that nobody listens on, for programs that cannot pick one themselves. */
export async function freePort() {
  const server = createSocketServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}
