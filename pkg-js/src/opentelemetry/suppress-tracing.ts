import { context, createContextKey } from "@opentelemetry/api";

/** The key of `@opentelemetry/core`, which instrumentations look at; equal names make equal keys. */
const SUPPRESSED = /* @__PURE__ */ createContextKey(
  "OpenTelemetry SDK Context Key SUPPRESS_TRACING",
);

/** Calls `task` where no spans are made: those of our own requests would make further requests. */
export function suppressTracing<R>(task: () => R): R {
  return context.with(context.active().setValue(SUPPRESSED, true), task);
}
