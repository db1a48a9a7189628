import { FailureKind, Outcome } from "./core.js";
import { DeliveryError } from "./errors/delivery-error.js";
import { isShardbusError } from "./errors/shardbus-error.js";
import type { EventOutcomes } from "./event-outcomes.js";
import { show } from "./show.js";

/** Consecutive events that came to the same end. */
export interface Run {
  readonly start: number;
  readonly count: number;
  readonly outcome: (typeof Outcome)[keyof typeof Outcome];
  /** Why they were rejected. */
  readonly error: unknown;
}

/**
 * The runs of a batch that a callback's answer speaks of; nothing, if it is no such answer, and so
 * speaks of the whole batch.
 *
 * @throws {DeliveryError} if it speaks of events that the batch does not have.
 */
export function runsOf(answer: unknown, count: number): Run[] | undefined {
  if (typeof answer !== "object" || answer === null) return undefined;
  const { rejected = [], retry = [] } = answer as EventOutcomes;
  if (!Array.isArray(rejected) || !Array.isArray(retry)) return undefined;
  if (rejected.length === 0 && retry.length === 0) return undefined;
  const ends = new Map<number, Pick<Run, "outcome" | "error">>();
  const note = (index: unknown, end: Pick<Run, "outcome" | "error">) => {
    if (!Number.isInteger(index) || (index as number) < 0 || (index as number) >= count) {
      throw new DeliveryError(
        `The callback's answer speaks of the event at ${show(index)}, but the batch has ${count}`,
      );
    }
    ends.set(index as number, end);
  };
  for (const index of retry) note(index, { outcome: Outcome.Refused, error: undefined });
  for (const { index, error } of rejected) note(index, { outcome: Outcome.Permanent, error });
  return joinRuns(ends, count);
}

function joinRuns(ends: Map<number, Pick<Run, "outcome" | "error">>, count: number): Run[] {
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

/** How an attempt failed, as its error says. */
export interface Verdict {
  readonly kind: (typeof FailureKind)[keyof typeof FailureKind];
  readonly retryAfterMs: number;
  /** What the error says of single events. */
  readonly outcomes: unknown;
}

/**
 * How an attempt failed that threw `error`. One that does not say so, or cannot be read, tells of an
 * outage: nobody answered.
 */
export function verdictOf(error: unknown): Verdict {
  const unavailable = { kind: FailureKind.Unavailable, retryAfterMs: 0, outcomes: undefined };
  try {
    if (!isShardbusError(error) || error.code !== "ERR_DELIVERY") return unavailable;
    const { retryAfterMs, outcomes } = error as DeliveryError;
    // A conversion that fails in wasm would kill the module.
    const ms = typeof retryAfterMs === "number" && retryAfterMs > 0 ? retryAfterMs : 0;
    return { kind: kindOf(error as DeliveryError), retryAfterMs: ms, outcomes };
  } catch {
    // Its own code threw.
    return unavailable;
  }
}

function kindOf({ split, tooLarge, retryable, unavailable }: DeliveryError): Verdict["kind"] {
  if (split || tooLarge) return FailureKind.Split;
  if (!retryable) return FailureKind.Permanent;
  return unavailable ? FailureKind.Unavailable : FailureKind.Refused;
}
