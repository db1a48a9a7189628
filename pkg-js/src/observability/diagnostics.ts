import type { DeliveryCallback, Drop } from "../options.js";
import { nodeBuiltin } from "../util/node-builtin.js";

/** The used part of `node:diagnostics_channel`. */
interface DiagnosticsChannel {
  channel(name: string): {
    readonly hasSubscribers: boolean;
    publish(message: object): void;
  };
  tracingChannel(name: string): {
    readonly hasSubscribers?: boolean;
    tracePromise<R>(call: () => Promise<R>, context: object): Promise<R>;
  };
}

interface Channels {
  readonly drop: ReturnType<DiagnosticsChannel["channel"]>;
  readonly attempt: ReturnType<DiagnosticsChannel["tracingChannel"]>;
}

let channels: Channels | undefined;
let isOpen = false;

/** The channels, in runtimes that have them. */
function open(): Channels | undefined {
  if (isOpen) return channels;
  isOpen = true;
  const module = nodeBuiltin<DiagnosticsChannel>("node:diagnostics_channel");
  channels = module && {
    drop: module.channel("shardbus:drop"),
    attempt: module.tracingChannel("shardbus:attempt"),
  };
  return channels;
}

/** True if somebody listens to `shardbus:drop`. */
export function isDropObserved(): boolean {
  return open()?.drop.hasSubscribers === true;
}

/** Publishes a loss of `bus` on `shardbus:drop`. */
export function publishDrop(bus: object, drop: Drop): void {
  if (isDropObserved()) open()?.drop.publish({ bus, ...drop });
}

/** Makes each attempt of `bus` one operation of the tracing channel `shardbus:attempt`. */
export function traceAttempts<T>(bus: object, callback: DeliveryCallback<T>): DeliveryCallback<T> {
  return (batch, context) => {
    const attempt = open()?.attempt;
    if (attempt?.hasSubscribers !== true) return callback(batch, context);
    const message = { bus, batch, attempt: context.attempt };
    return attempt.tracePromise(async () => callback(batch, context), message);
  };
}
