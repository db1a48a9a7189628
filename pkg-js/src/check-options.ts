import { InvalidOptionError } from "./errors/invalid-option-error.js";
import { isShardbusError } from "./errors/shardbus-error.js";
import type { DrainOptions, EventBusOptions, WaitOptions } from "./options.js";
import { messageOf, show } from "./show.js";

let defaultScheduler: "auto" | "manual" = "auto";

/** Sets the `scheduler` of buses that do not say. */
export function setDefaultScheduler(scheduler: "auto" | "manual"): void {
  defaultScheduler = scheduler;
}

type Check = (value: unknown) => string | undefined;

const integer =
  (max: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max
      ? undefined
      : `must be a whole number from 0 to ${max}`;

// The core counts sizes in 32 bits on wasm.
const size = integer(2 ** 32 - 1);

// As nanoseconds, a year is far from 2^53.
const milliseconds: Check = (value) =>
  typeof value === "number" && value >= 0 && value <= 31_536_000_000
    ? undefined
    : "must be a number of milliseconds from 0 to 31536000000 (a year)";

const oneOf =
  (...names: string[]): Check =>
  (value) =>
    names.includes(value as string)
      ? undefined
      : `must be one of ${names.map((name) => JSON.stringify(name)).join(", ")}`;

const flag: Check = (value) => (typeof value === "boolean" ? undefined : "must be true or false");

const number: Check = (value) =>
  typeof value === "number" && Number.isFinite(value) ? undefined : "must be a number";

const shardCount = integer(65_535);

const callable: Check = (value) => (typeof value === "function" ? undefined : "must be a function");

const backpressure: Check = (value) => {
  const isSample =
    isRecord(value) && "sample" in checkGroup(value, { sample: size }, "backpressure.");
  return isSample || oneOf("drop-oldest", "drop-newest", "fail-producer")(value) === undefined
    ? undefined
    : 'must be "drop-oldest", "drop-newest", "fail-producer" or { sample: n }';
};

const store: Check = (value) =>
  isRecord(value) &&
  ["open", "read", "write", "remove"].every((name) => typeof value[name] === "function")
    ? undefined
    : "must be a store, such as `fileStore()` of `shardbus/stores/fs` makes";

type Schema = { readonly [name: string]: Check | Schema };

const schema: Schema = {
  shards: shardCount,
  capacity: size,
  maxBytes: integer(Number.MAX_SAFE_INTEGER),
  maxEventBytes: size,
  backpressure,
  key: callable,
  format: oneOf("ndjson", "json"),
  scheduler: oneOf("auto", "manual"),
  lifecycle: oneOf("auto", "manual"),
  exitOrder: oneOf("oldest", "newest"),
  batch: {
    minSize: size,
    maxSize: size,
    maxBytes: size,
    maxDelayMs: milliseconds,
    adaptive: flag,
    velocityWindowMs: milliseconds,
  },
  retry: { attempts: size, minDelayMs: milliseconds, maxDelayMs: milliseconds },
  scaling: {
    minShards: shardCount,
    maxShards: shardCount,
    autoScale: flag,
    fillRatioThreshold: number,
    flushLatencyThresholdMs: milliseconds,
    underutilizedThreshold: number,
    cooldownMs: milliseconds,
    scaleDownDelayMs: milliseconds,
    metricsWindowMs: milliseconds,
  },
  timeoutMs: milliseconds,
  onDrop: callable,
  store,
  onStoreError: callable,
};

const waitSchema: Schema = {
  // Timers take longer delays for none at all.
  timeoutMs: (value) =>
    typeof value === "number" && value >= 0 && value < 2 ** 31
      ? undefined
      : `must be a number of milliseconds from 0 to ${2 ** 31 - 1}`,
  signal: (value) =>
    isRecord(value) && "aborted" in value && typeof value.throwIfAborted === "function"
      ? undefined
      : "must be an AbortSignal",
};

const drainSchema: Schema = {
  maxBytes: (value) =>
    typeof value === "number" && value >= 0 ? undefined : "must be a number of bytes",
};

/** Checks the options of `flush()` and `close()`. */
export function checkWaitOptions(options: unknown): WaitOptions {
  return readable(() => checkGroup(options ?? {}, waitSchema, ""));
}

/** Checks the options of `drain()`. */
export function checkDrainOptions(options: unknown): DrainOptions {
  return readable(() => checkGroup(options ?? {}, drainSchema, ""));
}

/**
 * Checks names and types, and copies what was given. What values mean is the core's to judge; it
 * takes the copy, where nothing can throw and nothing is of a wrong type.
 */
export function checkOptions<T>(options: unknown): EventBusOptions<T> & {
  readonly scheduler: "auto" | "manual";
} {
  const checked = readable(() => {
    const isOff = isRecord(options) && options.scaling === false;
    const given = isOff ? { ...options, scaling: undefined } : options;
    return checkGroup(given ?? {}, schema, "");
  });
  return { scheduler: defaultScheduler, ...checked };
}

/** What `read` returns. What getters and proxies throw meanwhile becomes an error that says so. */
function readable<R>(read: () => R): R {
  try {
    return read();
  } catch (cause) {
    if (isShardbusError(cause)) throw cause;
    const sentence = `The options cannot be read: ${messageOf(cause)}`;
    throw new InvalidOptionError("options", sentence, { cause });
  }
}

function checkGroup(options: unknown, schema: Schema, path: string): Record<string, unknown> {
  if (!isRecord(options)) {
    const name = path.slice(0, -1) || "options";
    throw new InvalidOptionError(name, `\`${name}\` is ${show(options)}, but it must be an object`);
  }
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const rule = Object.hasOwn(schema, name) ? schema[name] : undefined;
    if (rule === undefined) {
      throw new InvalidOptionError(
        path + name,
        `\`${path}${name}\` is not an option; there are ${Object.keys(schema).join(", ")}`,
      );
    }
    if (typeof rule === "object") {
      copy[name] = checkGroup(value, rule, `${path}${name}.`);
      continue;
    }
    const broken = rule(value);
    if (broken !== undefined) {
      throw new InvalidOptionError(
        path + name,
        `\`${path}${name}\` is ${show(value)}, but it ${broken}`,
      );
    }
    copy[name] = value;
  }
  return copy;
}

/** The core's error, in the names that the user wrote: `batch.max_delay` is `batch.maxDelayMs`. */
export function brokenRule(error: unknown): unknown {
  if (!Array.isArray(error)) return error;
  const [field, value, sentence] = error as [string, number, string];
  const name = camelCase(field);
  const rule = sentence.replaceAll(/`([^`]+)`/g, (_, other: string) => `\`${camelCase(other)}\``);
  return new InvalidOptionError(name, `\`${name}\` is ${value}, but it ${rule}`);
}

const camelCase = (field: string): string =>
  field
    .replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
    .replace(/(delay|window|timeout|cooldown)$/i, "$1Ms");

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
