// @ts-check

// Checks that a runtime reports a failing test file: each file in `fixtures` fails in a way of its
// own, and the report must show it.

/**
 * The expected report of each file. A file without an entry must pass.
 * @type {{ [file: string]: string[] }}
 */
const FAILURES = {
  "rejection.mjs": ["nobody waits for this"],
  "last-rejection.mjs": ["nobody waits for this"],
  "error.mjs": ["nobody catches this"],
  "hook.mjs": ["the hook fails"],
  "throws.mjs": ["the file fails"],
  "no-test.mjs": ["no test ran"],
  "missing-import.mjs": ["nowhere.mjs"],
};

const directory = "tests/runtimes/suite/fixtures";

/**
 * Runs the files, and returns the defects of the reports.
 *
 * @param {(files: string[]) => Promise<import("./runtime.mjs").Result[]>} runFiles
 */
export async function checkRuntime(runFiles) {
  const failing = Object.keys(FAILURES).map((name) => `${directory}/${name}`);
  const results = await runFiles([...failing, `${directory}/passing.mjs`]);
  /** @type {import("./runtime.mjs").Result[]} */
  const wrong = [];
  for (const result of results) {
    const expected = FAILURES[result.file.slice(directory.length + 1)];
    const told = result.failures.map(({ name, error }) => `${name}\n${error}`).join("\n");
    const missing = expected?.filter((text) => !told.includes(text)) ?? [];
    const isRight = expected === undefined ? told === "" : told !== "" && missing.length === 0;
    if (isRight) continue;
    const should =
      expected === undefined ? "should pass" : `should fail with ${missing.join(", ")}`;
    wrong.push({ ...result, failures: [{ name: should, error: told || "it passes" }] });
  }
  return wrong;
}
