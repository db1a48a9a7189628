// @ts-check
import { Hono } from "hono";
import { requestEvents } from "shardbus/hono";
import { assert, test } from "../js/harness.mjs";
import { eventsThroughOutage, numbers } from "./outage.mjs";

test("every request is one event, through an outage and in order", async () => {
  const found = await eventsThroughOutage((bus) => {
    const app = new Hono();
    app.use(requestEvents(bus));
    app.get("/:n", (c) => c.text("hello"));
    return (n) => app.request(`/${n}?secret`);
  });
  assert.deepEqual(
    found.map(({ path }) => path),
    numbers.map((n) => `/${n}`),
  );
  assert.deepInclude(found[0], { type: "request", method: "GET", status: 200 });
  assert.isAtLeast(found[0].durationMs, 0);
});

/**
 * The event and the response of one request.
 *
 * @param {(app: Hono, handler: (bus: any) => void) => void} build
 * @param {string} path
 */
async function one(build, path) {
  /** @type {any[]} */
  const events = [];
  const bus = { emit: (/** @type {any} */ event) => void events.push(event), waitUntil() {} };
  const app = new Hono();
  build(app, (use) => use(bus));
  /** @type {any} */
  const response = await Promise.resolve(app.request(path)).catch((error) => error);
  assert.lengthOf(events, 1);
  return { event: events[0], response };
}

test("an error is an event with the status that the client got", async () => {
  const build = (/** @type {Hono} */ app, /** @type {any} */ withBus) => {
    withBus((/** @type {any} */ bus) => app.use(requestEvents(bus)));
    app.onError((_, c) => c.text("sorry", 503));
    app.get("/", () => {
      throw new Error("no database");
    });
  };
  const { event, response } = await one(build, "/");
  assert.equal(response.status, 503);
  assert.deepInclude(event, { status: 503, error: "no database" });
});

test("a thrown text is an event too", async () => {
  const build = (/** @type {Hono} */ app, /** @type {any} */ withBus) => {
    withBus((/** @type {any} */ bus) => app.use(requestEvents(bus)));
    app.get("/", () => {
      throw "a text";
    });
  };
  const { event, response } = await one(build, "/");
  assert.equal(response, "a text");
  assert.deepInclude(event, { status: 500, error: "a text" });
});

test("a request whose fields cannot be had is an event without them, and is answered", async () => {
  /** @type {[handler: () => Response, answered: string][]} */
  const handlers = [
    [() => new Response("hello"), "hello"],
    [
      () => {
        throw new Error("no database");
      },
      "sorry",
    ],
  ];
  for (const [handler, answered] of handlers) {
    const build = (/** @type {Hono} */ app, /** @type {any} */ withBus) => {
      const fields = () => {
        throw new Error("no user");
      };
      withBus((/** @type {any} */ bus) => app.use(requestEvents(bus, { fields })));
      app.onError((_, c) => c.text("sorry", 503));
      app.get("/", handler);
    };
    const { event, response } = await one(build, "/");
    assert.equal(await response.text(), answered);
    assert.deepInclude(event, { status: response.status, fieldsError: "no user" });
  }
});

test("fields go along, and the client gets the duration", async () => {
  const build = (/** @type {Hono} */ app, /** @type {any} */ withBus) => {
    withBus((/** @type {any} */ bus) => {
      const fields = (/** @type {any} */ c) => ({ user: c.get("user") });
      app.use(requestEvents(bus, { fields, serverTiming: true }));
    });
    app.get("/", (c) => {
      c.set(/** @type {never} */ ("user"), "ada");
      c.header("server-timing", "db;dur=1");
      // Its headers cannot be changed.
      return Response.redirect("https://elsewhere.example");
    });
  };
  const { event, response } = await one(build, "/");
  assert.deepInclude(event, { status: 302, user: "ada" });
  assert.match(response.headers.get("server-timing"), /total;dur=\d/);
});
