import { InvalidOptionError } from "../errors/invalid-option-error.js";
import type { ManualScheduler } from "./manual-scheduler.js";
import type { RequestFlusher } from "./wait-until.js";

/** The code for runtimes in which all work belongs to a request. Other buses do without it. */
export interface RequestSupport {
  readonly ManualScheduler: typeof ManualScheduler;
  readonly RequestFlusher: typeof RequestFlusher;
}

let provided: RequestSupport | undefined;

/** Takes the code that `requestSupport` returns. */
export function provideRequestSupport(support: RequestSupport): void {
  provided = support;
}

/** @throws {InvalidOptionError} about `option` if no entry has provided it. */
export function requestSupport(option: string): RequestSupport {
  if (provided !== undefined) return provided;
  throw new InvalidOptionError(
    option,
    `The scheduler "manual" and \`waitUntil\` come with \`import "shardbus/requests"\`, which is missing here`,
  );
}
