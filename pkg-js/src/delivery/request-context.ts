/** The context of a request, such as the third argument of a Worker's `fetch`. */
export interface RequestContext {
  /** Keeps the request alive until the promise settles, beyond its response. */
  waitUntil(promise: Promise<unknown>): void;
}
