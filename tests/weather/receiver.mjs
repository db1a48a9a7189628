// @ts-check

// A receiver of events, in a process of its own, forked by the tests. It stores the events that it
// gets, and goes away and comes back when it is told to.
import { createServer } from "node:http";
import { text } from "node:stream/consumers";

/**
 * A receiver's behaviour until it is told otherwise: it stores all events, or all but the poisoned
 * ones; it is gone; or it answers with a status.
 *
 * @typedef {"up" | "picky" | "gone" | 503 | 429} State
 */

/**
 * The requests that a receiver has seen.
 *
 * @typedef {object} Report
 * @property {number} requests
 * @property {number} sent how many events it was sent, in all of them
 * @property {number[]} stored the numbers of the events that it stored, repeated ones too
 * @property {number} lastAt when it stored the last of them: milliseconds since the epoch
 */

/** The events that it rejects at first as if it were busy: so many from this one on. */
const BUSY = { from: 700, count: 100 };

/** @type {State} */
let state = "up";
let port = 0;
/** @type {Report} */
const report = { requests: 0, sent: 0, stored: [], lastAt: 0 };

/** @param {number[]} numbers */
function store(numbers) {
  report.stored.push(...numbers);
  report.lastAt = Date.now();
}

/** Answers for each event, as Elasticsearch's `_bulk` does. @param {{ n: number, poison?: boolean }[]} events */
function storeSome(events) {
  const isFirst = report.requests === 1;
  const items = events.map(({ n, poison }) => {
    if (poison) return { status: 400, error: "the mapping does not fit" };
    if (isFirst && n >= BUSY.from && n < BUSY.from + BUSY.count) return { status: 429 };
    store([n]);
    return { status: 201 };
  });
  return JSON.stringify({ items });
}

const server = createServer(async (request, response) => {
  const body = await text(request);
  const events = body.split("\n").map((line) => JSON.parse(line));
  report.requests++;
  report.sent += events.length;
  if (typeof state === "number") {
    response.writeHead(state, state === 429 ? { "retry-after": "2" } : {}).end();
    return;
  }
  if (state === "picky") {
    response.end(storeSome(events));
    return;
  }
  store(events.map(({ n }) => n));
  response.writeHead(204).end();
});

/** @param {() => void} then */
const listen = (then) => server.listen(port, "127.0.0.1", then);

/** Sends a message to the parent process. @param {unknown} message */
const tell = (message) => process.send?.(message);

/** Changes its behaviour. @param {State} next */
function become(next) {
  const wasGone = state === "gone";
  state = next;
  if (next === "gone") {
    server.close(() => tell("gone"));
    server.closeAllConnections();
  } else if (wasGone) {
    listen(() => tell(next));
  } else {
    tell(next);
  }
}

process.on("message", (/** @type {State | "report"} */ message) => {
  if (message === "report") tell(report);
  else become(message);
});
process.on("disconnect", () => process.exit());
listen(() => {
  port = /** @type {import("node:net").AddressInfo} */ (server.address()).port;
  tell(port);
});
