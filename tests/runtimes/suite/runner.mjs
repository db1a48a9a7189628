// @ts-check

// Stands in for `node:test` where there is none, as in a page or a Worker: the part of it that
// `tests/js` uses. Tests are collected while a file is evaluated, and run one after another. It knows
// no `skip`: a test that does not run would be missing from the counts that are compared.

/** The limit of a test or a hook, in milliseconds, so that the report names a test that hangs. */
const TIMEOUT_MS = 60_000;

/**
 * The wait for uncaught errors after a test, and after the last one, in milliseconds. No event
 * tells that there is none.
 */
const LATE_MS = 5;
const LAST_MS = 50;

// Tests put clocks and listeners of their own in place of these.
const { setTimeout, clearTimeout, addEventListener } = globalThis;

/** @typedef {() => unknown} Body */
/** @typedef {{ name: string, body: Body, hooks: Hooks[] }} Test */
/** @typedef {Record<"before" | "after" | "beforeEach" | "afterEach", Body[]>} Hooks */

/**
 * The result of a file.
 *
 * @typedef {object} FileResult
 * @property {number} tests how many ran
 * @property {number} passed how many of them without a failure
 * @property {{ name: string, error: string }[]} failures
 */

/** @returns {Hooks} */
const noHooks = () => ({ before: [], after: [], beforeEach: [], afterEach: [] });

/** @type {Test[]} */
const tests = [];
/**
 * The suites around the test that is being collected, outermost first.
 * @type {{ name: string, hooks: Hooks }[]}
 */
const suites = [{ name: "", hooks: noHooks() }];
/** @type {Set<FileResult["failures"][number]>} */
const failures = new Set();
/** Those of promises that nobody waits for. @type {Map<Promise<unknown>, FileResult["failures"][number]>} */
const rejections = new Map();
/** Which test a failure belongs to: of an error that nobody caught, the one that runs when it comes. */
let running = "";

/** @param {string} what @param {unknown} error */
function fail(what, error) {
  const failure = { name: running, error: what + describeError(error) };
  failures.add(failure);
  return failure;
}

/** @param {Event} event @param {string} what @param {unknown} error */
function failUncaught(event, what, error) {
  // Deno would end. Before the first test it has to: the file does not load.
  if (running !== "") event.preventDefault();
  return fail(`${what}: `, error);
}
addEventListener("unhandledrejection", (event) => {
  rejections.set(event.promise, failUncaught(event, "unhandled rejection", event.reason));
});
// workerd does not wait for the microtasks in which a promise may still be waited for.
addEventListener("rejectionhandled", ({ promise }) => {
  const failure = rejections.get(promise);
  if (failure !== undefined) failures.delete(failure);
});
addEventListener("error", (event) => {
  failUncaught(event, "uncaught error", event.error ?? event.message);
});

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
 * Runs the collected tests.
 *
 * @returns {Promise<FileResult>}
 */
export async function run() {
  /** @type {Set<Hooks>} */
  const begun = new Set();
  for (const { name, body, hooks } of tests) {
    running = name;
    await attempt(() => runTest(body, hooks, begun));
    // Promises that the test did not await fail now.
    await later(LATE_MS);
  }
  running = "after the last test";
  for (const { after } of [...begun].toReversed()) await attempt(() => runAll(after));
  await later(LAST_MS);
  const failed = new Set([...failures].map(({ name }) => name));
  const passed = tests.filter(({ name }) => !failed.has(name)).length;
  return { tests: tests.length, passed, failures: [...failures] };
}

/** @param {Body} body @param {Hooks[]} hooks @param {Set<Hooks>} begun */
async function runTest(body, hooks, begun) {
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
}

/** @param {() => Promise<void>} part */
async function attempt(part) {
  try {
    await part();
  } catch (error) {
    fail("", error);
  }
}

/** @param {Body[]} bodies */
async function runAll(bodies) {
  for (const body of bodies) await inTime(body);
}

/** Rejects if a test or a hook takes too long. @param {Body} body */
async function inTime(body) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    const error = new Error(`it took longer than ${TIMEOUT_MS} ms`);
    timer = setTimeout(() => reject(error), TIMEOUT_MS);
  });
  try {
    await Promise.race([body(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** @param {number} ms */
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {unknown} error */
function describeError(error) {
  if (!(error instanceof Error)) return String(error);
  const stack = error.stack ?? "";
  return stack.includes(error.message) ? stack : `${error.name}: ${error.message}\n${stack}`;
}
