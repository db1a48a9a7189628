import { DeliveryError, messageOf } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import { pendingResources } from "./groups.js";
import type { HeldRecords } from "./held-records.js";
import type { ExporterLike, RecordLike } from "./sdk-types.js";
import { suppressTracing } from "./suppress-tracing.js";

/** A processor's view of its exports. */
export interface ExportHost {
  /** An export ended: without an error, if it succeeded. */
  onFinish(count: number, error: Error | undefined): void;
  /** An export failed. */
  onError(error: Error): void;
  readonly timeoutMs: number;
  /** The message where an exporter tells of no error. */
  readonly failure: string;
}

/**
 * The callback that hands batches to a stock exporter. Exporters repeat requests by themselves, so
 * a batch that failed is given up; one whose request ended without an answer, as on Workers, is
 * exported again.
 */
export function exporterDelivery<R extends RecordLike>(
  exporter: ExporterLike<R>,
  held: HeldRecords<R>,
  host: ExportHost,
): DeliveryCallback {
  return async ({ sequence, count }) => {
    const lease = held.lease(sequence, count);
    try {
      // Begins the export before the first `await`, as upstream does.
      await exportRecords(exporter, lease.records, host);
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(messageOf(cause));
      host.onError(error);
      throw new DeliveryError(error.message, { retryable: false, cause });
    } finally {
      held.release(lease);
    }
  };
}

async function exportRecords<R extends RecordLike>(
  exporter: ExporterLike<R>,
  records: R[],
  { onFinish, timeoutMs, failure }: ExportHost,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer: unknown = setTimeout(() => reject(new Error("Timeout")), timeoutMs);
    const end = (settle: () => void) => {
      clearTimeout(timer as number);
      settle();
    };
    const begin = () => {
      suppressTracing(() =>
        exporter.export(records, ({ code, error }) => {
          onFinish(records.length, error);
          end(() => (code === 0 ? resolve() : reject(error ?? new Error(failure))));
        }),
      );
    };
    const waits = pendingResources(records.map(({ resource }) => resource));
    const fail = (error: unknown) => end(() => reject(error));
    if (waits.length > 0) Promise.all(waits).then(begin).catch(fail);
    else {
      try {
        begin();
      } catch (error) {
        fail(error);
      }
    }
  });
}
