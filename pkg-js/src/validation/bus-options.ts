import type { WaitUntilOptions } from "../delivery/wait-until.js";
import { InvalidOptionError } from "../errors/invalid-option-error.js";
import type { DrainOptions, EventBusOptions, WaitOptions } from "../options.js";
import {
  type Check,
  callable,
  flag,
  guardGetters,
  isRecord,
  type Schema,
  validateObject,
} from "./schema.js";
import { suggestion } from "./suggestion.js";

type Writable<O> = { -readonly [Name in keyof O]: O[Name] };

let defaultScheduler: "auto" | "manual" = "auto";

/** Sets the `scheduler` of buses that do not say. */
export function setDefaultScheduler(scheduler: "auto" | "manual"): void {
  defaultScheduler = scheduler;
}

const integer =
  (min: number, max: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? undefined
      : `must be a whole number from ${min} to ${max}`;

// The core counts sizes in 32 bits on wasm.
const size = /* @__PURE__ */ integer(1, 4_294_967_295);

// Half the address space: more could not be held beside the body that is cut from it.
const bytes = /* @__PURE__ */ integer(1, 2_147_483_647);

// As nanoseconds, a year is far from 2^53.
const YEAR_MS = 31_536_000_000;

const milliseconds: Check = (value) =>
  typeof value === "number" && value >= 0 && value <= YEAR_MS
    ? undefined
    : `must be a number of milliseconds from 0 to ${YEAR_MS} (a year)`;

const someMilliseconds: Check = (value) =>
  value !== 0 && milliseconds(value) === undefined
    ? undefined
    : `must be a number of milliseconds above 0, and at most ${YEAR_MS} (a year)`;

const orInfinity =
  (check: Check): Check =>
  (value) => {
    const broken = value === Number.POSITIVE_INFINITY ? undefined : check(value);
    return broken && `${broken}, or Infinity`;
  };

const oneOf =
  (...names: string[]): Check =>
  (value) =>
    names.includes(value as string)
      ? undefined
      : `must be one of ${names.map((name) => JSON.stringify(name)).join(", ")}`;

const share: Check = (value) =>
  typeof value === "number" && value >= 0 && value <= 1
    ? undefined
    : "must be a number from 0 to 1";

const someShare: Check = (value) =>
  value !== 0 && share(value) === undefined ? undefined : "must be a number above 0, and at most 1";

const shardCount = /* @__PURE__ */ integer(1, 65_535);

const backpressure: Check = (value) => {
  const isSample =
    isRecord(value) && "sample" in validateObject(value, { sample: size }, "backpressure.");
  return isSample || oneOf("drop-oldest", "drop-newest", "fail-producer")(value) === undefined
    ? undefined
    : 'must be "drop-oldest", "drop-newest", "fail-producer" or { sample: n }';
};

const store: Check = (value) =>
  isRecord(value) &&
  ["open", "read", "write", "remove"].every((name) => typeof value[name] === "function")
    ? undefined
    : "must be a store, such as `fileStore()` of `shardbus/stores/fs` makes";

// Made when it is needed, so that it costs nothing where there is no bus.
const schema = (): Schema => ({
  shards: shardCount,
  capacity: integer(2, 16_777_216),
  maxBytes: bytes,
  maxEventBytes: size,
  maxKeyBytes: bytes,
  routingSeed: (value) =>
    typeof value === "bigint" && value >= 0n && value < 1n << 64n
      ? undefined
      : "must be a bigint of 64 bits, such as `crypto.getRandomValues` makes",
  backpressure,
  key: callable,
  format: oneOf("ndjson", "json"),
  scheduler: oneOf("auto", "manual"),
  waitUntil: (value) =>
    typeof value === "boolean" || typeof value === "function"
      ? undefined
      : "must be true, false or a function that takes a promise",
  lifecycle: oneOf("auto", "manual"),
  exitOrder: oneOf("oldest", "newest"),
  batch: {
    minSize: size,
    maxSize: integer(1, 1_000_000),
    maxBytes: size,
    maxDelayMs: someMilliseconds,
    adaptive: flag,
    velocityWindowMs: milliseconds,
  },
  retry: {
    maxAttempts: orInfinity(size),
    baseDelayMs: milliseconds,
    maxDelayMs: milliseconds,
    maxAgeMs: orInfinity(someMilliseconds),
    maxRetryAfterMs: milliseconds,
  },
  scaling: {
    minShards: shardCount,
    maxShards: shardCount,
    autoScale: flag,
    fillRatioThreshold: someShare,
    flushLatencyThresholdMs: milliseconds,
    underutilizedThreshold: share,
    cooldownMs: someMilliseconds,
    scaleDownDelayMs: someMilliseconds,
    metricsWindowMs: someMilliseconds,
  },
  timeoutMs: someMilliseconds,
  onDrop: callable,
  onDelivered: callable,
  store,
  onStoreError: callable,
});

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

// Made when it is needed, as those of the bus.
const waitUntilSchema = (): Schema => ({
  quietMs: milliseconds,
  maxWaitMs: (value) =>
    typeof value === "number" && value >= 0 && value <= 20_000
      ? undefined
      : "must be a number of milliseconds from 0 to 20000",
  minEvents: size,
});

const drainSchema: Schema = {
  maxBytes: (value) =>
    typeof value === "number" && value >= 0 ? undefined : "must be a number of bytes",
};

/** Checks the options of `flush()` and `close()`, and copies them. */
export function checkWaitOptions(options: unknown): Writable<WaitOptions> {
  return guardGetters(() => validateObject(options ?? {}, waitSchema, ""));
}

/** Checks the options of `waitUntil()`. */
export function checkWaitUntilOptions(options: unknown): WaitUntilOptions {
  if (options === undefined) return {};
  return guardGetters(() => validateObject(options ?? {}, waitUntilSchema(), ""));
}

/** Checks the options of `drain()`. */
export function checkDrainOptions(options: unknown): DrainOptions {
  return guardGetters(() => validateObject(options ?? {}, drainSchema, ""));
}

/**
 * Checks names and types, and copies what was given. What values mean is the core's to judge; it
 * takes the copy, where nothing can throw and nothing is of a wrong type.
 */
export function checkOptions<T>(options: unknown): EventBusOptions<T> & {
  readonly scheduler: "auto" | "manual";
} {
  return guardGetters(() => {
    // Unknown options are looked up in an object without a prototype.
    const given: unknown = isRecord(options)
      ? Object.assign(Object.create(null), options)
      : (options ?? {});
    const isRetried = !isRecord(given) || given.retry !== false;
    if (isRecord(given)) {
      // `false` stands here in place of a group of options.
      if (!isRetried) given.retry = undefined;
      if (given.scaling === false) given.scaling = undefined;
    }
    const copy = validateObject(given, schema(), "", suggestion);
    if (!isRetried) copy.retry = false;
    copy.scheduler ??= defaultScheduler;
    return copy as unknown as ReturnType<typeof checkOptions<T>>;
  });
}

/** The core's error, in the names that the user wrote: `batch.max_delay` is `batch.maxDelayMs`. */
export function toInvalidOptionError(error: unknown): unknown {
  if (!Array.isArray(error)) return error;
  const [field, value, sentence] = error as [string, number, string];
  const name = camelCase(field);
  const rule = sentence.replaceAll(/`([^`]+)`/g, (_, other: string) => `\`${camelCase(other)}\``);
  return new InvalidOptionError(name, `\`${name}\` is ${value}, but it ${rule}`);
}

const camelCase = (field: string): string =>
  field
    .replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
    .replace(/(delay|window|timeout|cooldown|age|after)$/i, "$1Ms");
