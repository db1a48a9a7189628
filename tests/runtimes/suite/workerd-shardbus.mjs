// @ts-check

// `shardbus` for the suite in a Worker. The default there is to send only in a flush; the suite is
// written for the default of all other runtimes, and a request that lives on has timers.
import { EventBus as WorkerBus } from "../../../pkg-js/dist/workerd.js";

export * from "../../../pkg-js/dist/workerd.js";

/** @extends {WorkerBus<any>} */
export class EventBus extends WorkerBus {
  /** @param {any} callback @param {any} [options] */
  constructor(callback, options) {
    super(callback, withTimers(options));
  }
}

/** @param {any} options */
function withTimers(options) {
  if (typeof (options ?? {}) !== "object" || Array.isArray(options)) return options;
  try {
    return { scheduler: "auto", ...options };
  } catch {
    // The bus rejects options that cannot be read.
    return options;
  }
}
