// @ts-check
// The transport of a test, which pino loads into a thread.
import { EventBus } from "shardbus";
import { pinoTransport } from "shardbus/pino";
import { httpSink } from "shardbus/sinks/http";

/** @param {{ url: string }} options */
export default ({ url }) =>
  pinoTransport(new EventBus(httpSink(url), { retry: { baseDelayMs: 1, maxDelayMs: 50 } }));
