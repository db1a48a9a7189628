// @ts-check
// The presets at the boundary of their protocols: their requests over HTTP, and the outcome of a
// batch for each answer.
import { EventBus, InvalidOptionError } from "shardbus";
import {
  axiomSink,
  clickhouseSink,
  datadogSink,
  elasticsearchSink,
  lokiSink,
  newRelicSink,
  splunkSink,
} from "shardbus/sinks/presets";
import { assert, quickRetry, test } from "../js/harness.mjs";
import { startReceiver, status } from "./http-server.mjs";
import { send } from "./send.mjs";

/** @typedef {import("./http-server.mjs").Received} Received */
/** @typedef {(response: import("node:http").ServerResponse, request: Received) => void} Answer */

/** Answers with a JSON text. @param {unknown} body @param {number} [code] @returns {Answer} */
const json =
  (body, code = 200) =>
  (response) => {
    response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
  };

/**
 * Sends events through a sink to a receiver with these answers.
 *
 * @param {(url: string) => import("shardbus").DeliveryCallback<any>} makeSink
 * @param {unknown[]} events
 * @param {Answer[]} answers
 * @param {import("shardbus").EventBusOptions} [options]
 */
async function through(makeSink, events, answers, options) {
  const receiver = await startReceiver(...answers);
  /** @type {any[]} */
  const drops = [];
  const onDrop = (/** @type {any} */ drop) => void drops.push(drop);
  try {
    const stats = await send(makeSink(receiver.url), events, { onDrop, ...options });
    return { stats, requests: receiver.requests, drops };
  } finally {
    await receiver.stop();
  }
}

/** Has a sink with a fixed address send elsewhere. @param {string} url */
const fetchFrom = (url) => (/** @type {any} */ address, /** @type {any} */ init) => {
  const { pathname, search } = new URL(address);
  return fetch(`${url}${pathname}${search}`, init);
};

/** One payload is no JSON text, and one is good. @param {import("shardbus").DeliveryCallback<any>} sink */
async function sendRaw(sink) {
  const bus = new EventBus(sink, { retry: quickRetry, onDrop() {} });
  bus.ingestRaw("{broken");
  bus.ingestRaw('{"n":1}');
  await bus.close();
  return bus.stats();
}

const three = [{ n: 0 }, { n: 1 }, { n: 2 }];

test("Elasticsearch: the documents have the ids of their events, in an order of create and source", async () => {
  const items = three.map(() => ({ create: { status: 201 } }));
  const { requests, stats } = await through(
    (url) => elasticsearchSink(`${url}/`, { index: "a b", headers: { authorization: "ApiKey k" } }),
    three,
    [json({ items })],
  );
  const [request] = requests;
  assert.equal(request?.url, "/a%20b/_bulk?filter_path=items.*.status,items.*.error");
  assert.equal(request?.headers["content-type"], "application/x-ndjson");
  assert.equal(request?.headers.authorization, "ApiKey k");
  const lines = three.flatMap((event, n) => [
    JSON.stringify({ create: { _id: `${stats.runId}-0-${n}` } }),
    JSON.stringify(event),
  ]);
  assert.equal(request?.body, `${lines.join("\n")}\n`);
  assert.equal(stats.delivered, 3);
});

test("Elasticsearch: each document has its own outcome", async () => {
  const error = { type: "mapper_parsing_exception", reason: "no number" };
  const partial = [201, 409, 429, 400, 503].map((code) => {
    return { create: { status: code, ...(code === 400 && { error }) } };
  });
  const { requests, stats, drops } = await through(
    (url) => elasticsearchSink(url, { index: "i" }),
    [0, 1, 2, 3, 4].map((n) => ({ n })),
    [
      json({ items: partial }),
      json({ items: [{ create: { status: 201 } }] }),
      json({ items: [{ create: { status: 201 } }] }),
    ],
  );
  assert.equal(stats.delivered, 4);
  assert.equal(stats.abandoned.permanent, 1);
  assert.match(drops[0].error.message, /mapper_parsing_exception: no number/);
  const again = requests.slice(1).map(({ body }) => JSON.parse(body.split("\n")[1] ?? ""));
  assert.deepEqual(again, [{ n: 2 }, { n: 4 }]);
});

test("Elasticsearch: documents wait for an index that is too busy for any of them", async () => {
  const busy = json({ items: three.map(() => ({ create: { status: 429 } })) });
  const items = three.map(() => ({ create: { status: 201 } }));
  const { stats } = await through((url) => elasticsearchSink(url, { index: "i" }), three, [
    ...Array(12).fill(busy),
    json({ items }),
  ]);
  assert.equal(stats.delivered, 3);
});

test("Elasticsearch: an event with newlines between its tokens is one line", async () => {
  const receiver = await startReceiver(json({ items: [{ create: { status: 201 } }] }));
  try {
    const bus = new EventBus(elasticsearchSink(receiver.url, { index: "i" }), { format: "json" });
    bus.ingestRaw('{\n"n": 1\n}');
    await bus.close();
    assert.equal(receiver.requests[0]?.body.split("\n")[1], '{"n":1}');
  } finally {
    await receiver.stop();
  }
});

test("Elasticsearch: an answer without an item for each document delivers nothing", async () => {
  const items = [{ create: { status: 201 } }];
  const { stats } = await through(
    (url) => elasticsearchSink(url, { index: "i" }),
    three,
    Array(10).fill(json({ items })),
  );
  assert.equal(stats.delivered, 0);
  assert.equal(stats.abandoned.retries, 3);
});

test("Elasticsearch: a payload that is not one JSON text is abandoned alone", async () => {
  /** @type {Answer} */
  const index = (response, request) => {
    const isBroken = request.body.includes("{broken");
    const answer = isBroken ? status(400) : json({ items: [{ create: { status: 201 } }] });
    answer(response, request);
  };
  const receiver = await startReceiver(index, index, index);
  try {
    const stats = await sendRaw(elasticsearchSink(receiver.url, { index: "i" }));
    assert.equal(stats.delivered, 1);
    assert.equal(stats.abandoned.permanent, 1);
  } finally {
    await receiver.stop();
  }
});

test("Loki: lines are in the stream of their labels, with times that differ and stay", async () => {
  const labels = (/** @type {any} */ { n }) => ({ even: String(n % 2 === 0) });
  const { requests, stats } = await through((url) => lokiSink(url, { labels }), three, [
    status(503),
    status(204),
  ]);
  assert.equal(requests[0]?.url, "/loki/api/v1/push");
  assert.equal(requests[0]?.body, requests[1]?.body);
  /** @type {{ streams: { stream: object, values: [string, string][] }[] }} */
  const { streams } = JSON.parse(requests[0]?.body ?? "");
  assert.deepEqual(
    streams.map(({ stream, values }) => [stream, values.map(([, line]) => line)]),
    [
      [{ even: "true" }, ['{"n":0}', '{"n":2}']],
      [{ even: "false" }, ['{"n":1}']],
    ],
  );
  const times = streams.flatMap(({ values }) => values.map(([time]) => time));
  assert.lengthOf(new Set(times), 3);
  assert.approximately(Number(BigInt(times[0] ?? 0) / 1_000_000n), Date.now(), 600_000);
  assert.equal(stats.delivered, 3);
});

test("Loki: equal events have different times, in whichever batch and shard they are", async () => {
  const count = 4000;
  const events = Array.from({ length: count }, () => ({ same: true }));
  const labels = { service_name: "shop" };
  let users = 0;
  const { requests, stats } = await through((url) => lokiSink(url, { labels }), events, [], {
    shards: 4,
    batch: { maxSize: 100 },
    key: () => `${users++ % 100}`,
  });
  assert.lengthOf(
    stats.shards.filter(({ accepted }) => accepted > 0),
    4,
  );
  const values = requests.flatMap(({ body }) => JSON.parse(body).streams[0].values);
  assert.lengthOf(values, count);
  assert.equal(new Set(values.map(([time]) => time)).size, count);
});

test("Splunk: an event that the collector names is abandoned, and the others are sent again", async () => {
  const invalid = { text: "Invalid data format", code: 6, "invalid-event-number": 1 };
  const { requests, stats, drops } = await through(
    (url) => splunkSink(url, { token: "t", index: "main", source: "shop" }),
    three,
    [json(invalid, 400)],
  );
  assert.equal(requests[0]?.url, "/services/collector/event");
  assert.equal(requests[0]?.headers.authorization, "Splunk t");
  const [first] = (requests[0]?.body ?? "").split("\n").map((line) => JSON.parse(line));
  assert.deepInclude(first, { index: "main", source: "shop", event: { n: 0 } });
  assert.equal(first.fields.event_id, `${stats.runId}-0-0`);
  assert.approximately(first.time, Date.now() / 1000, 600);
  assert.deepEqual([stats.delivered, stats.abandoned.permanent], [2, 1]);
  assert.match(drops[0].error.message, /Invalid data format/);
  const again = requests.slice(1).flatMap(({ body }) => body.split("\n").map((l) => JSON.parse(l)));
  assert.deepEqual(
    again.map(({ event }) => event.n),
    [0, 2],
  );
});

test("Splunk: a refusal of all without a place, and a busy server", async () => {
  const denied = json({ text: "Invalid token", code: 4 }, 403);
  const busy = json({ text: "Server is busy", code: 9 }, 503);
  const ok = json({ text: "Success", code: 0 });
  const sink = (/** @type {string} */ url) => splunkSink(url, { token: "t" });
  assert.equal((await through(sink, three, [denied])).stats.abandoned.permanent, 3);
  assert.equal((await through(sink, three, [json(null, 400)])).stats.abandoned.permanent, 3);
  assert.equal((await through(sink, three, [...Array(12).fill(busy), ok])).stats.delivered, 3);
});

test("Datadog: each event is a log whose message is its JSON", async () => {
  const { requests, stats } = await through(
    (url) =>
      datadogSink({
        apiKey: "k",
        service: "shop",
        tags: "env:test",
        gzip: true,
        fetch: fetchFrom(url),
      }),
    three,
    [json({}, 202)],
  );
  assert.equal(requests[0]?.url, "/api/v2/logs");
  assert.equal(requests[0]?.headers["dd-api-key"], "k");
  assert.equal(requests[0]?.headers["content-encoding"], "gzip");
  const log = JSON.parse(requests[0]?.body ?? "")[1];
  const time = log.published_date;
  assert.deepEqual(log, {
    service: "shop",
    ddtags: "env:test",
    published_date: time,
    message: '{"n":1}',
  });
  assert.approximately(time, Date.now(), 600_000);
  assert.equal(stats.delivered, 3);
});

test("Datadog: the site is part of the address", async () => {
  let asked = "";
  const fetch = async (/** @type {any} */ address) => {
    asked = address;
    return new Response(null, { status: 202 });
  };
  await send(datadogSink({ apiKey: "k", site: "datadoghq.eu", fetch }), three);
  assert.equal(asked, "https://http-intake.logs.datadoghq.eu/api/v2/logs");
});

test("New Relic: each event is a log with its id, beside common attributes", async () => {
  const { requests, stats } = await through(
    (url) =>
      newRelicSink({ licenseKey: "k", attributes: { service: "shop" }, fetch: fetchFrom(url) }),
    three,
    [json({ requestId: "r" }, 202)],
  );
  assert.equal(requests[0]?.url, "/log/v1");
  assert.equal(requests[0]?.headers["api-key"], "k");
  const [{ common, logs }] = JSON.parse(requests[0]?.body ?? "");
  assert.deepEqual(common, { attributes: { service: "shop" } });
  assert.equal(logs[2].message, '{"n":2}');
  assert.deepEqual(logs[2].attributes, { event_id: `${stats.runId}-0-2` });
  assert.equal(stats.delivered, 3);
});

test("Axiom: events that are not taken are found, and abandoned alone", async () => {
  /** Counts the events as Axiom does. @type {Answer} */
  const ingest = (response, { body }) => {
    const failed = JSON.parse(body).filter((/** @type {any} */ { n }) => n === 1).length;
    const failures = failed ? [{ error: "too many fields" }] : [];
    json({ ingested: JSON.parse(body).length - failed, failed, failures })(
      response,
      /** @type {any} */ (undefined),
    );
  };
  const { requests, stats, drops } = await through(
    (url) => axiomSink({ dataset: "clicks", token: "t", url }),
    three,
    Array(10).fill(ingest),
  );
  assert.equal(requests[0]?.url, "/v1/datasets/clicks/ingest");
  assert.equal(requests[0]?.headers.authorization, "Bearer t");
  assert.deepEqual([stats.delivered, stats.abandoned.permanent], [2, 1]);
  assert.match(drops[0].error.message, /too many fields/);
});

/** Answers as ClickHouse does for an error. @param {number} code @param {number} [at] @returns {Answer} */
const exception =
  (code, at = 400) =>
  (response) =>
    response.writeHead(at, { "x-clickhouse-exception-code": `${code}` }).end("Code");

test("ClickHouse: an insert has the batch's id as its token, and the rows as they are", async () => {
  const { requests, stats } = await through(
    (url) =>
      clickhouseSink(url, {
        table: "a`b",
        database: "shop",
        user: "u",
        password: "p",
        settings: { input_format_skip_unknown_fields: "1" },
      }),
    three,
    [],
  );
  const { searchParams } = new URL(requests[0]?.url ?? "", "http://x");
  assert.deepEqual(Object.fromEntries(searchParams), {
    input_format_skip_unknown_fields: "1",
    query: "INSERT INTO `a\\`b` FORMAT JSONEachRow",
    insert_deduplication_token: `${stats.runId}-0-0`,
    database: "shop",
  });
  assert.deepInclude(requests[0]?.headers, { "x-clickhouse-user": "u", "x-clickhouse-key": "p" });
  assert.equal(requests[0]?.body, '{"n":0}\n{"n":1}\n{"n":2}');
});

test("ClickHouse: a bad row is abandoned alone, a busy server is waited for, other errors are final", async () => {
  const sink = (/** @type {string} */ url) => clickhouseSink(url, { table: "t" });
  /** @type {(code: number) => Answer} */
  const insert = (code) => (response, request) => {
    if (request.body.includes('"n":1')) exception(code)(response, request);
    else response.end();
  };
  // No number; no array; a text too long for its column; no element of an enum.
  for (const code of [27, 130, 131, 691]) {
    const bad = await through(sink, three, Array(10).fill(insert(code)));
    assert.deepEqual([bad.stats.delivered, bad.stats.abandoned.permanent], [2, 1], `${code}`);
  }
  const busy = await through(sink, three, Array(12).fill(exception(252, 500)));
  assert.equal(busy.stats.delivered, 3);
  // No table; a user who may only read.
  for (const answer of [exception(60, 404), exception(164, 500)]) {
    const final = await through(sink, three, [answer]);
    assert.equal(final.stats.abandoned.permanent, 3);
    assert.lengthOf(final.requests, 1);
  }
});

/** @type {{ [preset: string]: (url: string) => import("shardbus").DeliveryCallback<any> }} */
const refused = {
  elasticsearchSink: (url) => elasticsearchSink(url, { index: "i" }),
  splunkSink: (url) => splunkSink(url, { token: "t" }),
  clickhouseSink: (url) => clickhouseSink(url, { table: "t" }),
};

for (const [preset, sink] of Object.entries(refused)) {
  test(`${preset} uses the connection of a refused request again`, async () => {
    const refusal = (/** @type {number} */ n) => (/** @type {any} */ response) =>
      void response.writeHead(n % 2 === 0 ? 403 : 400).end("x".repeat(60_000));
    const receiver = await startReceiver(...[0, 1, 2, 3, 4, 5].map(refusal));
    const bus = new EventBus(sink(receiver.url), { retry: quickRetry, onDrop() {} });
    try {
      for (let n = 0; n < 6; n++) {
        bus.ingest(n);
        await bus.flush();
      }
      assert.lengthOf(receiver.requests, 6);
      assert.isBelow(receiver.sockets.size, 3);
    } finally {
      await bus.close();
      await receiver.stop();
    }
  });
}

test("Loki: an event whose labels cannot be had is abandoned alone", async () => {
  const labels = (/** @type {any} */ { user }) => ({ plan: user.plan });
  const events = [{ user: { plan: "a" } }, {}, { user: { plan: 1 } }, { user: { plan: "b" } }];
  const { stats, drops } = await through((url) => lokiSink(url, { labels }), events, []);
  assert.deepEqual([stats.delivered, stats.abandoned.permanent], [2, 2]);
  for (const { error } of drops) assert.match(error.message, /`labels` threw for an event/);
});

/** @type {[string, () => unknown][]} */
const wrong = [
  ["index", () => elasticsearchSink("http://x", /** @type {any} */ ({}))],
  ["labels", () => lokiSink("http://x", /** @type {any} */ ({ labels: "a" }))],
  ["labels", () => lokiSink("http://x", /** @type {any} */ ({}))],
  ["token", () => splunkSink("http://x", { token: "" })],
  ["region", () => newRelicSink(/** @type {any} */ ({ licenseKey: "k", region: "UK" }))],
  ["apiKey", () => datadogSink(/** @type {any} */ ({}))],
  ["dataset", () => axiomSink(/** @type {any} */ ({ token: "t" }))],
  [
    "settings",
    () => clickhouseSink("http://x", /** @type {any} */ ({ table: "t", settings: { a: 1 } })),
  ],
  ["site", () => datadogSink({ apiKey: "k", site: "https://datadoghq.eu" })],
  ["url", () => lokiSink("http://x/?tenant=a", { labels: {} })],
  ["url", () => splunkSink("http://x/#a", { token: "t" })],
  ["url", () => clickhouseSink("no url", { table: "t" })],
  ["url", () => clickhouseSink("http://user:password@x:8123", { table: "t" })],
];

test("wrong options are named", () => {
  for (const [option, make] of wrong) {
    assert.throws(/** @type {any} */ (make), InvalidOptionError, `\`${option}\``);
  }
});

test("secrets that no header can have are named, and not cited", () => {
  const secret = "g€heim";
  /** @type {[string, () => unknown][]} */
  const sinks = [
    ["token", () => splunkSink("http://x", { token: secret })],
    ["apiKey", () => datadogSink({ apiKey: secret })],
    ["licenseKey", () => newRelicSink({ licenseKey: secret })],
    ["token", () => axiomSink({ dataset: "a", token: secret })],
    ["password", () => clickhouseSink("http://x", { table: "a", password: secret })],
  ];
  for (const [option, make] of sinks) {
    assert.throws(/** @type {any} */ (make), InvalidOptionError, `\`${option}\``);
    assert.throws(/** @type {any} */ (make), /^(?!.*g€heim)/);
  }
});
