import { DeliveryError } from "../errors/delivery-error.js";
import { isShardbusError } from "../errors/shardbus-error.js";
import type { EventOutcomes } from "../event-outcomes.js";
import { FailureKind, Outcome } from "../generated/layout.js";
import { messageOf, show } from "../util/format-value.js";
import { own } from "../util/own.js";

/** Consecutive events that came to the same end. */
export interface Run {
  readonly start: number;
  readonly count: number;
  readonly outcome: (typeof Outcome)[keyof typeof Outcome];
  /** Why they were rejected. */
  readonly error: unknown;
}

/** The end of an event. */
type End = Pick<Run, "outcome" | "error">;

/**
 * The runs of a batch that a callback's answer speaks of; nothing, if it is no such answer, and so
 * speaks of the whole batch.
 *
 * @throws {DeliveryError} if it cannot be read, or speaks of events that the batch does not have.
 * Then the receiver's events are unknown: the batch counts as refused.
 */
export function runsOf(answer: unknown, count: number): Run[] | undefined {
  if (typeof answer !== "object" || answer === null) return undefined;
  let ends: Map<number, End>;
  try {
    ends = endsOf(answer as EventOutcomes, count);
  } catch (cause) {
    const sentence = `The callback's answer cannot be read: ${messageOf(cause)}`;
    throw new DeliveryError(sentence, { cause });
  }
  return ends.size === 0 ? undefined : joinRuns(ends, count);
}

/** The ends of the events that an answer names, by their places. */
function endsOf(answer: EventOutcomes, count: number): Map<number, End> {
  const rejected = own(answer, "rejected") ?? [];
  const retry = own(answer, "retry") ?? [];
  const ends = new Map<number, End>();
  if (!Array.isArray(rejected) || !Array.isArray(retry)) return ends;
  const note = (index: unknown, end: End) => {
    if (!Number.isInteger(index) || (index as number) < 0 || (index as number) >= count) {
      throw new RangeError(`it speaks of the event at ${show(index)}, but the batch has ${count}`);
    }
    ends.set(index as number, end);
  };
  for (const index of retry) note(index, { outcome: Outcome.Refused, error: undefined });
  for (const { index, error } of rejected) note(index, { outcome: Outcome.Permanent, error });
  return ends;
}

function joinRuns(ends: Map<number, End>, count: number): Run[] {
  const delivered = { outcome: Outcome.Delivered, error: undefined };
  const runs: Run[] = [];
  for (let index = 0; index < count; index++) {
    const { outcome, error } = ends.get(index) ?? delivered;
    const last = runs.at(-1);
    if (last !== undefined && last.outcome === outcome && last.error === error) {
      runs[runs.length - 1] = { ...last, count: last.count + 1 };
    } else {
      runs.push({ start: index, count: 1, outcome, error });
    }
  }
  return runs;
}

/** The failure of an attempt, according to its error. */
export interface Verdict {
  readonly error: unknown;
  readonly kind: (typeof FailureKind)[keyof typeof FailureKind];
  readonly retryAfterMs: number;
  /** The outcomes of single events, if the error has them. */
  readonly runs: readonly Run[] | undefined;
}

/**
 * Reads an error that an attempt at `count` events threw. One that says nothing, or cannot be read,
 * tells of an outage: nobody answered.
 */
export function toVerdict(error: unknown, count: number): Verdict {
  const verdict = { error, kind: FailureKind.Unavailable, retryAfterMs: 0, runs: undefined };
  try {
    if (!isShardbusError(error) || error.code !== "ERR_DELIVERY") return verdict;
    const { retryAfterMs } = error as DeliveryError;
    // A conversion that fails in wasm would kill the module.
    const ms = typeof retryAfterMs === "number" && retryAfterMs > 0 ? retryAfterMs : 0;
    const kind = kindOf(error as DeliveryError);
    return {
      ...verdict,
      kind,
      retryAfterMs: ms,
      runs: runsOf((error as DeliveryError).outcomes, count),
    };
  } catch (unreadable) {
    // A getter of its own threw; or its outcomes of single events make no sense, which is a
    // refusal.
    const isRefusal = unreadable instanceof DeliveryError;
    return isRefusal ? { ...verdict, error: unreadable, kind: FailureKind.Refused } : verdict;
  }
}

function kindOf({ split, tooLarge, retryable, unavailable }: DeliveryError): Verdict["kind"] {
  if (split || tooLarge) return FailureKind.Split;
  if (!retryable) return FailureKind.Permanent;
  return unavailable ? FailureKind.Unavailable : FailureKind.Refused;
}
