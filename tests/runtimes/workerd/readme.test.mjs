// @ts-check
import { program } from "../../documents.mjs";
import { assert, eventually, test } from "../../js/harness.mjs";
import { startCollector } from "../collector.mjs";
import { startWorker } from "./workerd.mjs";

test("the documented Worker delivers the events of its requests", async () => {
  const example = await program("docs/start/cloudflare-workers.md", "export default");
  const collector = await startCollector();
  const worker = await startWorker(example, collector.port);
  try {
    for (const path of ["/", "/docs"]) {
      assert.equal(await (await fetch(worker.url + path)).text(), "hello");
    }
    const isThere = () => collector.events().length >= 2;
    await eventually(isThere, () => "there is no second event");
    const views = ["/", "/docs"].map((path) => ({ type: "view", path }));
    assert.deepEqual(collector.events(), views);
  } finally {
    await worker.stop();
    await collector.stop();
  }
});
