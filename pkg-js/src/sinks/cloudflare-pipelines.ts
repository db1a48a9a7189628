import type { Batch } from "../batch.js";
import { type Check, DeliveryError, isRecord, utf8Encoder } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import { checkClient, checkSinkOptions, partSender, toVerdict } from "./events.js";

/** The part of a binding that a {@linkcode cloudflarePipelinesSink} uses; a `Pipeline` has it. */
export interface PipelineProducer {
  send(records: object[]): Promise<unknown>;
}

/** Options of a {@linkcode cloudflarePipelinesSink}. */
export interface CloudflarePipelinesOptions {
  /**
   * The field of a record that gets the event's id, by which SQL tells repetitions. By default none
   * does.
   */
  readonly idField?: string | undefined;
}

const idField: Check = (value) =>
  typeof value === "string" && value !== "" ? undefined : "must be a field's name";

const schema = { idField };

/** Most bytes of a call: "1 MB". */
const MAX_BYTES = 1_000_000;

/**
 * Sends each event as a record to a stream of Cloudflare Pipelines, which keeps them in R2; as many
 * at once as the platform takes, 1 MB. If a part of a batch fails, the next attempt begins with that
 * part.
 *
 * Records are JSON objects. An event that is none is abandoned, alone; so is a record that the
 * platform finds too large. Everything else is retried.
 *
 * @example
 * ```ts
 * import { env } from "cloudflare:workers";
 * const bus = new EventBus(cloudflarePipelinesSink(env.CLICKS, { idField: "event_id" }));
 * ```
 * @param pipeline the binding.
 * @throws {InvalidOptionError} if an argument or option has a wrong name or type.
 */
export function cloudflarePipelinesSink(
  pipeline: PipelineProducer,
  options: CloudflarePipelinesOptions = {},
): DeliveryCallback {
  checkClient("pipeline", pipeline, "send", "a pipeline's binding");
  const { idField } = checkSinkOptions(options, schema);
  const sendParts = partSender({ maxCount: Number.POSITIVE_INFINITY, maxBytes: MAX_BYTES });
  return async (batch, { signal }) => {
    const { records, sizes, rejected } = parse(batch, idField);
    await sendParts(batch, sizes, signal, async (start, end) => {
      try {
        await pipeline.send(records.slice(start, end));
      } catch (error) {
        throw toVerdict("The pipeline did not take the records", error);
      }
    });
    return { rejected };
  };
}

/** The records of a batch, and which of its events cannot be one. */
function parse(batch: Batch, idField: string | undefined) {
  const records: object[] = [];
  const sizes: number[] = [];
  const rejected: { index: number; error: unknown }[] = [];
  for (const [index, text] of [...batch].entries()) {
    const id = batch.eventId(index);
    const event = parseObject(text);
    if (event === undefined) {
      rejected.push({ index, error: new DeliveryError(`The event ${id} is not one JSON object`) });
      continue;
    }
    const record = idField === undefined ? event : { ...event, [idField]: id };
    records.push(record);
    // With the comma after it.
    sizes.push(utf8Encoder().encode(JSON.stringify(record)).length + 1);
  }
  return { records, sizes, rejected };
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
