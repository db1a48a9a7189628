// @ts-check

// Stands in for `node:test` where there is none, as in a page or a Worker: the part of it that
// `tests/js` uses. Tests are collected while a file is evaluated, and run one after another.

/** How long a test may take, in milliseconds: what hangs is to be named. */
const TIMEOUT_MS = 60_000;

// Tests put clocks of their own in place of these.
const { setTimeout, clearTimeout } = globalThis;

/** @typedef {() => unknown} Body */
/** @typedef {{ name: string, body: Body, hooks: Hooks[] }} Test */
/** @typedef {Record<"before" | "after" | "beforeEach" | "afterEach", Body[]>} Hooks */

/** @returns {Hooks} */
const noHooks = () => ({ before: [], after: [], beforeEach: [], afterEach: [] });

/** @type {Test[]} */
const tests = [];
/** What surrounds what is being collected, outermost first. @type {{ name: string, hooks: Hooks }[]} */
const suites = [{ name: "", hooks: noHooks() }];

/** @param {string} name @param {Body} body */
export function test(name, body) {
  const path = [...suites.map((suite) => suite.name), name].filter((part) => part !== "");
  tests.push({ name: path.join(" > "), body, hooks: suites.map(({ hooks }) => hooks) });
}
export const it = test;

/** @param {string} name @param {Body} body */
export function describe(name, body) {
  suites.push({ name, hooks: noHooks() });
  body();
  suites.pop();
}

/** @param {keyof Hooks} kind @returns {(body: Body) => void} */
const hook = (kind) => (body) => {
  suites.at(-1)?.hooks[kind].push(body);
};
export const before = hook("before");
export const after = hook("after");
export const beforeEach = hook("beforeEach");
export const afterEach = hook("afterEach");

/**
 * Runs what was collected.
 *
 * @returns {Promise<{ passed: number, failures: { name: string, error: string }[] }>}
 */
export async function run() {
  /** @type {{ name: string, error: string }[]} */
  const failures = [];
  /** @type {Set<Hooks>} */
  const begun = new Set();
  let passed = 0;
  for (const { name, body, hooks } of tests) {
    try {
      for (const one of hooks.filter((one) => !begun.has(one))) {
        begun.add(one);
        await runAll(one.before);
      }
      for (const { beforeEach } of hooks) await runAll(beforeEach);
      try {
        await inTime(body);
      } finally {
        for (const { afterEach } of hooks.toReversed()) await runAll(afterEach);
      }
      passed++;
    } catch (error) {
      failures.push({ name, error: describeError(error) });
    }
  }
  for (const { after } of [...begun].toReversed()) await runAll(after);
  return { passed, failures };
}

/** Rejects if the test takes too long. @param {Body} body */
async function inTime(body) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    const error = new Error(`the test took longer than ${TIMEOUT_MS} ms`);
    timer = setTimeout(() => reject(error), TIMEOUT_MS);
  });
  try {
    await Promise.race([body(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** @param {Body[]} bodies */
async function runAll(bodies) {
  for (const body of bodies) await body();
}

/** @param {unknown} error */
function describeError(error) {
  if (!(error instanceof Error)) return String(error);
  const stack = error.stack ?? "";
  return stack.includes(error.message) ? stack : `${error.name}: ${error.message}\n${stack}`;
}
