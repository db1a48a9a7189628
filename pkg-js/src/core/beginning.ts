import { Place } from "../generated/layout.js";

/** Tells whether a bus with these options may begin without the core. */
export const canBegin = (options: Float64Array): boolean =>
  // Other buses ask the core more than that, and sooner.
  [Place.scheduler, Place.hasStore, Place.scaling].every((place) => options[place] === 0);

/**
 * The bounds of a bus that the core has not made yet. An event within them would be accepted, and
 * nothing would be sent before the first one has waited for `delayMs`: the core grants at least as
 * much.
 */
export class Beginning {
  readonly options: Float64Array;
  readonly maxEventBytes: number;
  readonly maxKeyBytes: number;
  readonly events: number;
  readonly bytes: number;
  readonly delayMs: number;

  constructor(options: Float64Array) {
    const at = (place: number) => options[place] as number;
    this.options = options;
    this.maxEventBytes = at(Place.maxEventBytes);
    this.maxKeyBytes = at(Place.maxKeyBytes);
    const size = at(Place.batchAdaptive) === 0 ? Place.batchMaxSize : Place.batchMinSize;
    // In its last quarter, a bus sends early, and may refuse events.
    this.events = Math.min(at(size) - 1, at(Place.capacity) / 2 - 1);
    this.bytes = Math.min(at(Place.batchMaxBytes) - 1, at(Place.maxBytes) / 2);
    this.delayMs = Math.min(at(Place.batchMaxDelay), at(Place.retryMaxAge));
  }
}
