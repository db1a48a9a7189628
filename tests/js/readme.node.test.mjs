// @ts-check
import { readFile } from "node:fs/promises";
import { run } from "./child.node.mjs";
import { assert, test } from "./harness.mjs";

test("the README's example runs, and prints the output shown", async () => {
  const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
  const example = /```js\n(.*?)```/s.exec(readme)?.[1] ?? "";
  const output = await run(example);
  assert.include(output, '{"type":"view","page":"/pricing"}');
  const [, report] = /console\.log\(await bus\.close\(\)\); \/\/ (\{.*\})/.exec(example) ?? [];
  assert.include(output.replaceAll(/\s+/g, " "), report);
});
