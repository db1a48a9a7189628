// @ts-check
import { gunzipSync } from "node:zlib";
import { serve } from "../loopback.mjs";

/**
 * @typedef {object} Received
 * @property {string} url
 * @property {import("node:http").IncomingHttpHeaders} headers
 * @property {Buffer} body
 */

/**
 * A receiver that notes each request, and then answers with the first of these that is left, or 200.
 *
 * @param {((response: import("node:http").ServerResponse) => void)[]} answers
 */
export async function startReceiver(...answers) {
  /** @type {Received[]} */
  const requests = [];
  const sockets = new Set();
  const server = await serve(async (request, response) => {
    sockets.add(request.socket);
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const { headers, url = "" } = request;
    const body = headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes;
    requests.push({ url, headers, body });
    const answer = answers.shift();
    if (answer === undefined) response.end();
    else answer(response);
  });
  return { ...server, requests, sockets };
}

/**
 * @param {number} status
 * @param {string | Uint8Array} [body]
 * @param {import("node:http").OutgoingHttpHeaders} [headers]
 * @returns {(response: import("node:http").ServerResponse) => void}
 */
export const answer = (status, body, headers) => (response) =>
  void response.writeHead(status, headers).end(body);
