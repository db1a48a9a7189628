// The context that asynchronous work runs in: what `AsyncLocalStorage` and `AsyncContext` hold, such as
// a request's trace and tenant.
import { nodeBuiltin } from "../util/node-builtin.js";

/** Calls a function in a context, with arguments. */
export type RunInContext = <A extends unknown[], R>(call: (...args: A) => R, ...args: A) => R;

interface AsyncHooks {
  readonly AsyncLocalStorage?: { snapshot?(): RunInContext };
}

/**
 * Calls functions in the context that is current now. A bus calls all of its user's functions so:
 * the producer whose event completes a batch has nothing to do with the batch's other events.
 */
export function captureContext(): RunInContext {
  const { AsyncContext } = globalThis as {
    AsyncContext?: { Snapshot: new () => { run: RunInContext } };
  };
  if (AsyncContext !== undefined) {
    const snapshot = new AsyncContext.Snapshot();
    return (call, ...args) => snapshot.run(call, ...args);
  }
  const { AsyncLocalStorage } = nodeBuiltin<AsyncHooks>("node:async_hooks") ?? {};
  return AsyncLocalStorage?.snapshot?.() ?? ((call, ...args) => call(...args));
}
