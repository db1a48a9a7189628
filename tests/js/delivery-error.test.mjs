// @ts-check
import { DeliveryError, EventBus } from "shardbus";
import { assert, idle, quickRetry, recorder, test } from "./harness.mjs";

/** @param {number} status @param {Record<string, string>} [headers] */
const respond = (status, headers) =>
  DeliveryError.fromResponse(new Response(null, { status, headers: headers ?? {} }));

test("a DeliveryError is retryable at once, unless it says otherwise", () => {
  const error = new DeliveryError("busy");
  assert.include(error, { message: "busy", retryable: true, retryAfterMs: 0, status: undefined });
  assert.include(error, { name: "DeliveryError", code: "ERR_DELIVERY" });
  const cause = new Error("socket");
  const options = { retryable: false, retryAfterMs: 5, status: 400, cause };
  assert.include(new DeliveryError("no", options), options);
});

test("a retryAfterMs that is no time is none", () => {
  for (const retryAfterMs of [-1, Number.NaN, undefined]) {
    assert.equal(new DeliveryError("x", /** @type {any} */ ({ retryAfterMs })).retryAfterMs, 0);
  }
});

/** The meaning of each status for a batch. @type {[number[], string, object][]} */
const classes = [
  [[301, 302, 303, 307, 308], "a redirect", { retryable: true, unavailable: true }],
  [[408, 425, 429, 502, 503, 504, 511], "an outage", { retryable: true, unavailable: true }],
  [[500, 501, 505, 507, 599], "a refusal", { retryable: true, unavailable: false }],
  [[413], "a batch that is too large", { retryable: false, tooLarge: true, unavailable: false }],
  [
    [300, 304, 400, 401, 404, 409, 422, 451],
    "what is permanent",
    { retryable: false, tooLarge: false },
  ],
];

for (const [statuses, what, fields] of classes) {
  test(`statuses that tell of ${what}`, () => {
    for (const status of statuses) assert.include(respond(status), { ...fields, status });
  });
}

test("a DeliveryError with the status of an outage tells of one, unless it says otherwise", () => {
  assert.isTrue(new DeliveryError("busy", { status: 503 }).unavailable);
  assert.isFalse(new DeliveryError("busy", { status: 503, unavailable: false }).unavailable);
  assert.isTrue(new DeliveryError("busy", { unavailable: true }).unavailable);
  assert.isFalse(new DeliveryError("no", { status: 500 }).unavailable);
  const { split, outcomes } = new DeliveryError("plain");
  assert.deepEqual([split, outcomes], [false, undefined]);
});

for (const [statuses, retryable] of /** @type {const} */ ([
  [[301, 302, 307, 308, 408, 425, 429, 500, 501, 502, 503, 504, 507, 511, 599], true],
  [[300, 304, 400, 401, 403, 404, 405, 409, 410, 411, 413, 415, 422, 426, 431, 451], false],
])) {
  test(`statuses that are ${retryable ? "" : "not "}worth another attempt`, () => {
    for (const status of statuses) {
      assert.include(respond(status), { retryable, status, retryAfterMs: 0 }, `${status}`);
    }
  });
}

test("Retry-After in seconds", () => {
  for (const [header, ms] of /** @type {const} */ ([
    ["0", 0],
    ["1", 1000],
    ["120", 120_000],
    [" 7 ", 7000],
    ["007", 7000],
  ])) {
    assert.equal(respond(503, { "retry-after": header }).retryAfterMs, ms, header);
  }
});

test("Retry-After as a date", () => {
  const header = new Date(Date.now() + 60_000).toUTCString();
  const { retryAfterMs } = respond(429, { "Retry-After": header });
  // The header has whole seconds.
  assert.isAtMost(retryAfterMs, 60_000);
  assert.isAbove(retryAfterMs, 50_000);
  const past = "Wed, 21 Oct 2015 07:28:00 GMT";
  assert.equal(respond(429, { "Retry-After": past }).retryAfterMs, 0);
});

test("Retry-After as a date is read against the response's own clock", () => {
  const at = (/** @type {number} */ ms) => new Date(ms).toUTCString();
  const second = Math.floor(Date.now() / 1000) * 1000;
  for (const hours of [-48, -3, 3, 48]) {
    const date = second + hours * 3_600_000;
    const headers = { date: at(date), "retry-after": at(date + 90_000) };
    assert.equal(
      respond(503, headers).retryAfterMs,
      90_000,
      `a clock that is off by ${hours} hours`,
    );
    const past = { date: at(date), "retry-after": at(date - 90_000) };
    assert.equal(respond(503, past).retryAfterMs, 0);
  }
  const unreadable = { date: "now", "retry-after": at(second + 60_000) };
  assert.isAbove(respond(503, unreadable).retryAfterMs, 50_000);
});

test("a Retry-After that cannot be read is none", () => {
  for (const header of ["", "soon", "-5", "1.5", "1e3", "0x10", "120, 120", "NaN", "Infinity"]) {
    assert.equal(respond(503, { "retry-after": header }).retryAfterMs, 0, header);
  }
});

test("the message names the status", () => {
  const named = new Response(null, { status: 503, statusText: "Service Unavailable" });
  const { message } = DeliveryError.fromResponse(named);
  assert.equal(message, "The receiver answered 503 Service Unavailable");
  assert.equal(respond(599).message, "The receiver answered 599");
});

test("the message of a redirect says where to", () => {
  const headers = { location: "https://new.example/events" };
  const { message } = respond(301, headers);
  assert.equal(
    message,
    "The receiver answered 301, a redirect to https://new.example/events: send there",
  );
});

test("a redirect that a browser hides is an outage, too", () => {
  const hidden = /** @type {any} */ ({ status: 0, type: "opaqueredirect", headers: new Headers() });
  const error = DeliveryError.fromResponse(hidden);
  assert.include(error, { retryable: true, unavailable: true });
  assert.include(error.message, "redirect");
});

test("messages are short, and hold no control characters of the receiver's", () => {
  const evil = `\x1b[2J\x9b31m\u202e\n${"x".repeat(5000)}`;
  // `Response` itself refuses such a text; one from the network is not looked at.
  const response = /** @type {any} */ ({ status: 400, statusText: evil, headers: new Headers() });
  const { message } = DeliveryError.fromResponse(response);
  assert.match(message, /^The receiver answered 400 \[2J 31m x+…$/);
  assert.isBelow(message.length, 400);
});

test("`lastError` is short, and holds no control characters", async () => {
  const cause = new Error("reset\x1b]0;owned\x07");
  const bus = new EventBus(() => Promise.reject(new Error("no\r\nanswer", { cause })), {
    retry: quickRetry,
    onDrop() {},
  });
  bus.ingest(1);
  await bus.close({ timeoutMs: 50 });
  assert.equal(bus.stats().lastError?.message, "no answer: reset ]0;owned");
});

test("the response's body is cancelled, so that its connection is free again", async () => {
  let cancelled = false;
  const body = new ReadableStream({
    cancel() {
      cancelled = true;
    },
  });
  DeliveryError.fromResponse(new Response(body, { status: 500 }));
  await idle();
  assert.isTrue(cancelled);
});

test("a body that the caller reads, or has read, is not cancelled", async () => {
  const reading = new Response("the details", { status: 500 });
  const text = reading.text();
  assert.isTrue(DeliveryError.fromResponse(reading).retryable);
  assert.equal(await text, "the details");
  assert.isTrue(DeliveryError.fromResponse(reading).retryable);
});

test("a receiver that is down for a while gets everything, once", async () => {
  const statuses = [503, 429, 200];
  const sink = recorder([], async () => {
    const response = new Response(null, { status: statuses.shift() ?? 200 });
    if (!response.ok) throw DeliveryError.fromResponse(response);
  });
  const bus = new EventBus(sink.callback, { retry: quickRetry });
  bus.ingestBatch([1, 2, 3]);
  assert.equal((await bus.flush()).delivered, 3);
  assert.deepEqual(
    sink.log.map(({ attempt }) => attempt),
    [1, 2, 3],
  );
});
