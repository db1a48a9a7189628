// @ts-check
import { gunzipSync } from "node:zlib";
import { serve } from "../loopback.mjs";

/** @typedef {{ method?: string, url?: string, headers: import("node:http").IncomingHttpHeaders, body: string, at: number }} Received */

/**
 * A receiver that notes each request, and then answers with the first of these that is left, or 200.
 *
 * @param {((response: import("node:http").ServerResponse, request: Received) => void)[]} answers
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
    const { method, url, headers } = request;
    const body = `${headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes}`;
    const received = { method, url, headers, body, at: performance.now() };
    requests.push(received);
    const answer = answers.shift();
    if (answer === undefined) response.end();
    else answer(response, received);
  });
  return { ...server, requests, sockets };
}

/** Answers with a status and headers. @param {number} status @param {import("node:http").OutgoingHttpHeaders} [headers] */
export const status = (status, headers) => (/** @type {import("node:http").ServerResponse} */ it) =>
  void it.writeHead(status, headers).end();
