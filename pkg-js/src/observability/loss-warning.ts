import type { Drop, DropReason } from "../options.js";
import { reasonOf } from "../util/format-value.js";
import type { Cause } from "./failures.js";

/** For each reason, a clause for the warning, and the advice. */
const REASONS: { readonly [Reason in DropReason]: readonly [what: string, advice: string] } = {
  full: ["refused because there was no room", "raise `maxBytes` or `capacity`, or offer less"],
  sampled: ["sampled out because there was little room", "raise `maxBytes` or `capacity`"],
  unrouted: ["refused because no shard takes events", "see `scaling`"],
  oversize: [
    "larger than `maxEventBytes`, or their keys than `maxKeyBytes`",
    "raise that, or make them smaller",
  ],
  invalid: ["not to be written as JSON", "see the error, and offer what JSON can hold"],
  closed: ["offered after `close()`", "close the bus once nothing offers events any more"],
  evicted: [
    "evicted to make room for newer ones",
    "raise `maxBytes` or `capacity`, or use a `store`",
  ],
  retries: ["given up after failed attempts", "see the error, and `retry`"],
  permanent: ["refused by the receiver for good", "see the error"],
  expired: ["given up because they got too old", "see `retry.maxAgeMs`"],
  shutdown: [
    "not delivered before the bus was closed",
    "give `close()` more time, or use a `store`",
  ],
};

/**
 * The one warning of a bus without a listener for losses: the number, the reason, and the remedy.
 */
export function lossWarning({ reason, count, error, attempts }: Drop, cause?: Cause): string {
  const [what, advice] = REASONS[reason];
  const events = count === 1 ? "1 event was" : `${count} events were`;
  const after = attempts ? ` (attempt ${attempts})` : "";
  const why = error === undefined ? "" : `: ${reasonOf(error)}${after}`;
  const since =
    cause?.since === undefined
      ? ""
      : `, and attempts have failed since ${new Date(cause.since).toISOString()}`;
  return `shardbus: ${events} ${what}${why}${since}. ${sentence(advice)}. This is the only warning: pass \`onDrop\` to hear of every loss, or see \`bus.stats()\``;
}

const sentence = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);
