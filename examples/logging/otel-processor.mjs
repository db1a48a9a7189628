// @ts-check
import { JsonLogsSerializer } from "@opentelemetry/otlp-transformer";
import { DeliveryError } from "shardbus";

/** @import { LogRecordProcessor, ReadWriteLogRecord } from "@opentelemetry/sdk-logs" */

/**
 * Takes the place of OpenTelemetry's `BatchLogRecordProcessor` and its exporter: each record is one
 * event, in the JSON of OTLP.
 *
 * @implements {LogRecordProcessor}
 */
export class BusLogRecordProcessor {
  /** @param {import("shardbus").EventBus} bus with {@linkcode sendOtlp} as callback, or one that does more */
  constructor(bus) {
    this.bus = bus;
  }

  /** @param {ReadWriteLogRecord} record */
  onEmit(record) {
    try {
      this.bus.ingestRaw(JsonLogsSerializer.serializeRequest([record]) ?? "");
    } catch {
      // It is too large. The bus has counted it; the logging program must not fail for it.
    }
  }

  async forceFlush() {
    await this.bus.flush();
  }

  async shutdown() {
    await this.bus.close();
  }
}

/**
 * Sends batches by OTLP/HTTP.
 *
 * @param {string} url such as `http://localhost:4318/v1/logs`
 * @returns {import("shardbus").DeliveryCallback<any>}
 */
export const sendOtlp =
  (url) =>
  async (batch, { signal }) => {
    // Each event is a request of its own: they become one.
    const resourceLogs = batch.events().flatMap((request) => request.resourceLogs);
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ resourceLogs }),
      redirect: "manual", // what is followed arrives as a GET, without its body
      signal,
    });
    if (!response.ok) throw DeliveryError.fromResponse(response);
    await response.body?.cancel(); // or it keeps its connection
  };
