// @ts-check

// `shardbus` for the suite in a Worker. The default there is to send only in a flush; the suite is
// written for the default of all other runtimes, and a request that lives on has timers.
import { EventBus as WorkerBus } from "../../../pkg-js/dist/workerd.js";

export * from "../../../pkg-js/dist/workerd.js";

/** @extends {WorkerBus<any>} */
export class EventBus extends WorkerBus {
  /** @param {any} callback @param {any} [options] */
  constructor(callback, options) {
    const isGroup = typeof (options ?? {}) === "object" && !Array.isArray(options);
    super(callback, isGroup ? { scheduler: "auto", ...options } : options);
  }
}
