/** The outcomes of single events, where not all of them were delivered. */
export interface EventOutcomes {
  /** The events that the receiver will never take, by their places in the batch, and why. */
  readonly rejected?: readonly { readonly index: number; readonly error?: unknown }[] | undefined;
  /** The places of the events to send again. They keep their ids and their order. */
  readonly retry?: readonly number[] | undefined;
}
