import type { RequestContext } from "./delivery/request-context.js";
import type { EventBus } from "./event-bus.js";
import { messageOf } from "./internal.js";

/** The used part of Hono's `Context`. */
export interface HonoContext {
  readonly req: { readonly method: string; readonly path: string };
  readonly res: { readonly status: number };
  header(name: string, value: string, options: { readonly append: boolean }): void;
  /** The error that a handler threw. */
  readonly error: Error | undefined;
  readonly executionCtx: RequestContext;
}

/** The event of a request. */
export interface RequestEvent {
  readonly type: "request";
  /** The time of the request: milliseconds since the Unix epoch. */
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** Milliseconds until the handler had its response. */
  readonly durationMs: number;
  /** The message of the error that a handler threw. */
  readonly error?: string | undefined;
  /** The message of the error that the option `fields` threw; then its fields are missing. */
  readonly fieldsError?: string | undefined;
}

/** Options of {@linkcode requestEvents}. */
export interface RequestEventOptions<C> {
  /** Fields that go beside those of a {@linkcode RequestEvent}; asked once the handler has ended. */
  readonly fields?: ((context: C) => object) | undefined;
  /**
   * Tells the duration to the client too, as `total` of the header `Server-Timing`.
   * @default false
   */
  readonly serverTiming?: boolean | undefined;
}

/**
 * A middleware of Hono: each request is one event. Where a request has an execution context, as in
 * Cloudflare Workers, the event is sent within it, by `bus.waitUntil`.
 *
 * @example
 * ```ts
 * app.use(requestEvents(bus, { fields: (c) => ({ user: c.get("user") }) }));
 * ```
 */
export function requestEvents<C extends HonoContext>(
  bus: Pick<EventBus, "emit" | "waitUntil">,
  { fields, serverTiming = false }: RequestEventOptions<C> = {},
): (context: C, next: () => Promise<void>) => Promise<void> {
  const fieldsOf = (context: C): object => {
    try {
      return fields?.(context) ?? {};
    } catch (error) {
      // The request has its response already, which the client is to get.
      return { fieldsError: messageOf(error) };
    }
  };
  return async (context, next) => {
    const at = Date.now();
    const start = performance.now();
    const emit = (durationMs: number, status: number, error: unknown) => {
      const { method, path } = context.req;
      const event: RequestEvent = { type: "request", at, method, path, status, durationMs };
      const message = error === undefined ? {} : { error: messageOf(error) };
      bus.emit({ ...event, ...message, ...fieldsOf(context) });
      const request = executionContextOf(context);
      if (request !== undefined) bus.waitUntil(request);
    };
    try {
      await next();
    } catch (error) {
      // Hono throws values on that are no errors.
      emit(performance.now() - start, 500, error);
      throw error;
    }
    const durationMs = performance.now() - start;
    const timing = `total;dur=${durationMs}`;
    if (serverTiming) context.header("server-timing", timing, { append: true });
    emit(durationMs, context.res.status, context.error);
  };
}

/** Hono throws where there is none. */
function executionContextOf(context: HonoContext): RequestContext | undefined {
  try {
    return context.executionCtx;
  } catch {
    return undefined;
  }
}
