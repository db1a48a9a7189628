import type { WaitUntilOptions } from "../delivery/wait-until.js";
import { schema as coreSchema } from "../generated/schema.js";
import type { DrainOptions, EventBusOptions, ReadyOptions, WaitOptions } from "../options.js";
import { createOutbox } from "../outbox/create-outbox.js";
import { integer, milliseconds, oneOf } from "./checks.js";
import {
  type Check,
  callable,
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

const backpressure: Check = (value) => {
  const isSample =
    isRecord(value) &&
    "sample" in validateObject(value, { sample: integer(1, 4_294_967_295) }, "backpressure.");
  return isSample || oneOf("drop-oldest", "drop-newest", "fail-producer")(value) === undefined
    ? undefined
    : 'must be "drop-oldest", "drop-newest", "fail-producer" or { sample: n }';
};

const store: Check = (value) => {
  const isStore =
    isRecord(value) &&
    ["open", "read", "write", "remove", createOutbox].every(
      (name) => typeof value[name as string] === "function",
    );
  if (!isStore) {
    return "must be a store: of `shardbus/stores/…`, or your own by `customStore()` of `shardbus/stores/custom`";
  }
  const { maxBytes = 1 } = value;
  return typeof maxBytes === "number" && maxBytes > 0
    ? undefined
    : "must have no `maxBytes`, or a number above 0";
};

// Made when it is needed, so that it costs nothing where there is no bus.
const schema = (): Schema => ({
  ...coreSchema(),
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
  onDrop: callable,
  onDelivered: callable,
  store,
  onStoreError: callable,
});

const readySchema: Schema = {
  signal: (value) =>
    isRecord(value) && "aborted" in value && typeof value.throwIfAborted === "function"
      ? undefined
      : "must be an AbortSignal",
};

const waitSchema: Schema = {
  ...readySchema,
  // Timers take longer delays for none at all.
  timeoutMs: (value) =>
    typeof value === "number" && value >= 0 && value < 2 ** 31
      ? undefined
      : `must be a number of milliseconds from 0 to ${2 ** 31 - 1}`,
};

// Made when it is needed, as those of the bus.
const waitUntilSchema = (): Schema => ({
  quietMs: milliseconds,
  maxWaitMs: (value) =>
    typeof value === "number" && value >= 0 && value <= 20_000
      ? undefined
      : "must be a number of milliseconds from 0 to 20000",
  minEvents: integer(1, 4_294_967_295),
});

const drainSchema: Schema = {
  maxBytes: (value) =>
    typeof value === "number" && value >= 0 ? undefined : "must be a number of bytes",
};

/** Checks the options of `flush()` and `close()`, and copies them. */
export function checkWaitOptions(options: unknown): Writable<WaitOptions> {
  return guardGetters(() => validateObject(options ?? {}, waitSchema, ""));
}

/** Checks the options of `ready()`. */
export function checkReadyOptions(options: unknown): ReadyOptions {
  return guardGetters(() => validateObject(options ?? {}, readySchema, ""));
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
 * Checks names, types and bounds, and copies the options. The copy has no getter that throws and no
 * value of a wrong type. Their values together are judged by `completeOptions`.
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
    // Without options, making the schema is most of the work.
    const copy =
      options === undefined ? Object.create(null) : validateObject(given, schema(), "", suggestion);
    if (!isRetried) copy.retry = false;
    copy.scheduler ??= defaultScheduler;
    return copy as unknown as ReturnType<typeof checkOptions<T>>;
  });
}
