import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";
import { after, assert, before, eventually, test } from "../js/harness.mjs";

// The signal by which `node --test` ends a file that takes too long; no workerd may outlive it.
process.once("SIGTERM", () => process.exit(1));

// Nobody out there needs to know.
process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
process.env.WRANGLER_SEND_METRICS = "false";

const EXAMPLE = new URL("../../examples/cloudflare-worker/", import.meta.url);

/** Bundles and runs the Worker as `wrangler dev` does, with its queue and its bucket. */
const harness = createTestHarness({
  root: fileURLToPath(EXAMPLE),
  workers: [{ configPath: "wrangler.jsonc" }],
});
/** @type {URL} */
let url;

before(async () => {
  ({ url } = await harness.listen());
});

after(() => harness.close());

test("of concurrent requests each is in the log once, and many share a message", async () => {
  // Long, so that they do not fit into one message.
  const headers = { "user-agent": "x".repeat(1000) };
  const paths = Array.from({ length: 300 }, (_, n) => `/${n}`);
  await Promise.all(
    paths.map(async (path) => {
      const response = await fetch(new URL(path, url), { headers });
      assert.equal(response.status, 404);
      await response.text();
    }),
  );

  const { LOGS } = await harness.getWorker().getEnv();
  /** The files of the log. @returns {Promise<string[]>} */
  const files = async () => {
    const { objects } = await LOGS.list();
    return Promise.all(objects.map(async ({ key }) => (await LOGS.get(key)).text()));
  };
  /** @type {string[]} */
  let log = [];
  const isComplete = async () => {
    log = await files();
    return log.join("\n").split("\n").length >= paths.length;
  };
  await eventually(isComplete, () => `the log has ${log.join("\n").length} characters`, 30_000);

  const events = log.flatMap((file) => file.split("\n").map((line) => JSON.parse(line)));
  assert.sameMembers(
    events.map((event) => new URL(event.url).pathname),
    paths,
  );
  // A faster machine makes fewer messages.
  assert.isBelow(log.length, paths.length / 3);
  for (const file of log) assert.isAtMost(file.length, 60_000);
});
