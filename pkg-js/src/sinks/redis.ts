import { DeliveryError, idStem, messageOf, plain } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import type { Signal } from "../util/platform.js";
import type { Check } from "../validation/schema.js";
import { checkClient, checkSinkOptions, count, namer, type ShardName } from "./events.js";

export type { ShardName } from "./events.js";

/**
 * The part of a client that a {@linkcode redisSink} uses; those of the package `redis` all have it.
 */
export interface RedisEvaluator {
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  /**
   * The same client, whose commands end with a signal. Without it, a client that queues commands
   * while it is not connected sends each attempt that was cut off, once it is.
   */
  withCommandOptions?(options: { abortSignal: Signal }): RedisEvaluator;
}

/** Options of a {@linkcode redisSink}. */
export interface RedisSinkOptions {
  /**
   * About how many entries a stream keeps; it is trimmed in steps (`MAXLEN ~`).
   * @default Infinity
   */
  readonly maxLength?: number | undefined;
  /**
   * The time for which a batch is remembered, in milliseconds. Sent again within that time, it is
   * not written again.
   * @default 3600000 (an hour)
   */
  readonly dedupMs?: number | undefined;
}

const maxLength: Check = (value) =>
  value === Number.POSITIVE_INFINITY || count(value) === undefined
    ? undefined
    : "must be a whole number of at least 1, or Infinity";

const schema = { maxLength, dedupMs: count };

/**
 * Remembers the batch last: should an entry be refused (the key is no stream, memory is short), then
 * it is the first one, and nothing was written.
 */
const SCRIPT = `if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local first = tonumber(ARGV[2])
for i = 5, #ARGV do
  local id = ARGV[1] .. string.format('%.0f', first + i - 5)
  redis.call('XADD', KEYS[1], '*', 'id', id, 'event', ARGV[i])
end
if ARGV[4] ~= '' then redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[4]) end
redis.call('SET', KEYS[2], '', 'PX', ARGV[3])
return 1`;

/**
 * Appends each event to a Redis stream, with the fields `event`, its JSON text, and `id`, which is
 * `nonce-shard-sequence` as in the id of a batch. A batch is one script, so all of it is written or
 * none; the script remembers the batch for `dedupMs` in a key beside the stream,
 * `<stream>:shardbus:<batch id>`, so that a batch that is sent again is not written again. On a Redis
 * Cluster both keys are in one slot.
 *
 * In the stream, the events of a shard are in order. Refused permissions, a key that is no stream
 * and other errors that stay are permanent. Lost connections, and servers that start, fail over or
 * are full, are retried.
 *
 * @example
 * ```ts
 * const client = await createClient().on("error", console.error).connect();
 * const bus = new EventBus(redisSink(client, "events"), { shards: 4 }); // events:0 to events:3
 * ```
 * @param client the client, connected. Closing it is yours, after the bus.
 * @param stream the shard's stream: a prefix, which gets `:` and the shard, or a function.
 * @throws {InvalidOptionError} if an argument or option has a wrong name or type.
 */
export function redisSink(
  client: RedisEvaluator,
  stream: ShardName,
  options: RedisSinkOptions = {},
): DeliveryCallback {
  checkClient("client", client, "eval", "a client, as `createClient()` of `redis` makes");
  const streamOf = namer("stream", stream, ":");
  const checked = checkSinkOptions(options, schema);
  const { maxLength = Number.POSITIVE_INFINITY, dedupMs = 3_600_000 } = checked;
  const most = Number.isFinite(maxLength) ? `${maxLength}` : "";
  return async (batch, { signal }) => {
    const evaluator = client.withCommandOptions?.({ abortSignal: signal }) ?? client;
    const name = streamOf(batch.shard);
    const head = [`${idStem(batch.id)}-`, `${batch.sequence}`, `${dedupMs}`, most];
    try {
      await evaluator.eval(SCRIPT, {
        keys: [name, `${inSlotOf(name)}:shardbus:${batch.id}`],
        arguments: [...head, ...batch],
      });
    } catch (error) {
      throw toVerdict(error);
    }
  };
}

/** The beginning of a key that is in the same slot of a cluster: by the name's own hash tag, if any. */
function inSlotOf(name: string): string {
  return /^[^{]*\{[^}]+\}/.test(name) ? name : `{${name}}`;
}

/** Codes of errors that pass: the server starts, fails over, is full or busy. */
const PASSING =
  /\b(ASK|BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|MOVED|NOREPLICAS|OOM|READONLY|TRYAGAIN|UNKILLABLE)\b/;
/** An answer begins with its code. Other errors are the client's, and of the connection. */
const ANSWER = /^-?[A-Z]{3,} /;

function toVerdict(error: unknown): DeliveryError {
  const message = messageOf(error);
  return new DeliveryError(`Redis did not take the batch: ${plain(message)}`, {
    cause: error,
    retryable: !ANSWER.test(message) || PASSING.test(message),
    unavailable: true,
  });
}
