// @ts-check

/** @typedef {{ passed: number, failures: { name: string, error: string }[] }} FileResult */

/**
 * What the runner said of each file, as the result of a runtime.
 *
 * @param {string} version
 * @param {(FileResult & { file: string })[]} results
 * @param {string[]} skipped
 * @returns {import("./run.mjs").Result}
 */
export function summary(version, results, skipped) {
  const failures = results.flatMap(({ file, failures }) =>
    failures.map(({ name, error }) => `${file}: ${name}\n${error}\n`),
  );
  const passed = results.reduce((sum, { passed }) => sum + passed, 0);
  return { version, passed, failed: failures.length, skipped, failures: failures.join("\n") };
}
