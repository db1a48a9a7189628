import { diag } from "@opentelemetry/api";
import { EventBus } from "shardbus";
import type { EventBus as Bus } from "../event-bus.js";
import {
  InvalidEventError,
  InvalidOptionError,
  messageOf,
  pollNow,
  TimeoutError,
} from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import type { BusStats } from "../stats.js";
import { exporterDelivery } from "./exporter-delivery.js";
import { Groups } from "./groups.js";
import { HeldRecords } from "./held-records.js";
import type { OtlpEncoding } from "./otlp-encoding.js";
import { json } from "./otlp-json.js";
import type { Signal } from "./otlp-messages.js";
import { receiverOf } from "./otlp-options.js";
import { protobuf } from "./otlp-protobuf.js";
import { otlpSender } from "./otlp-sender.js";
import {
  type BatchProcessorOptions,
  busOptions,
  type Kind,
  limitsOf,
} from "./processor-options.js";
import type { ExporterLike, RecordLike } from "./sdk-types.js";
import { observeProcessor } from "./self-observation.js";

/** The common part of both kinds of processors. */
export interface ProcessorKind<R> extends Kind {
  readonly signal: Signal<R>;
  readonly observed: "span" | "log";
  /** True if `forceFlush()` rejects with the error of an export, as upstream's does for spans. */
  readonly rejects: boolean;
}

/** Takes records, and brings them to their receiver by way of a bus. */
interface Intake<R> {
  /** Returns whether the record was accepted. */
  add(record: R): boolean;
}

/**
 * A batch processor of either kind. Upstream's tests read fields of upstream's processors, and so
 * the fields of the same use have the same names.
 */
export abstract class BatchProcessor<R extends RecordLike> {
  /** The bus of this processor: for `stats()`, `waitUntil(ctx)` and `observeBus`. */
  readonly bus: Bus;
  protected readonly _maxExportBatchSize: number;
  protected readonly _maxQueueSize: number;
  protected readonly _scheduledDelayMillis: number;
  protected readonly _exportTimeoutMillis: number;
  readonly #exporter: ExporterLike<R> | undefined;
  readonly #held = new HeldRecords<R>();
  readonly #intake: Intake<R>;
  readonly #onError: (error: unknown) => void;
  readonly #rejects: boolean;
  readonly #endObservation: () => void;
  /** Records whose processing has ended, by the type of their error. */
  readonly #processed = new Map<string | undefined, number>();
  /** The flushes under way; the first error of their exports goes to their callers. */
  #flushes = 0;
  #flushError: Error | undefined;
  #isPolling = false;
  #ended: Promise<void> | undefined;

  /** @internal */
  constructor(kind: ProcessorKind<R>, options: BatchProcessorOptions<R>) {
    const { exporter } = options;
    this.#exporter = exporter;
    this.#rejects = kind.rejects;
    this.#onError = options.onError ?? ((error) => diag.error(messageOf(error)));
    const receiver = exporter === undefined ? receiverOf(kind.signal.name, options) : undefined;
    const limits = limitsOf(kind, options, {
      maxQueueSize: receiver === undefined ? 2048 : 65_535,
      exportTimeoutMillis: receiver === undefined ? 30_000 : (receiver.timeoutMs ?? 10_000),
    });
    this._maxExportBatchSize = limits.maxExportBatchSize;
    this._maxQueueSize = limits.maxQueueSize;
    this._scheduledDelayMillis = limits.scheduledDelayMillis;
    this._exportTimeoutMillis = limits.exportTimeoutMillis;
    if ((options.bus as { store?: unknown } | undefined)?.store !== undefined) {
      const sentence = "A processor's bus takes no `store`: its events refer to objects in memory";
      throw new InvalidOptionError("bus.store", sentence);
    }
    const makeBus = (callback: DeliveryCallback, more: object) =>
      new EventBus(callback, { ...busOptions(limits, options), ...more }) as Bus;
    if (exporter !== undefined) {
      const host = {
        onFinish: (count: number, error: Error | undefined) => this.#finish(count, error?.name),
        onError: (error: Error) => this.#fail(error),
        timeoutMs: limits.exportTimeoutMillis,
        failure: `${kind.name}: ${kind.observed === "span" ? "span" : "log record"} export failed`,
      };
      this.bus = makeBus(exporterDelivery(exporter, this.#held, host), {
        // The order of events is that of the records.
        shards: 1,
        scaling: false,
        // The export ends first, unless its request has ended and its timer with it.
        timeoutMs: limits.exportTimeoutMillis + 1000,
      });
      this.#intake = { add: (record) => this.#hold(record) };
    } else {
      const groups = new Groups(() => {
        const { pending, inFlight } = this.bus.stats();
        return pending + inFlight > 0;
      });
      const encoding = (receiver?.isJson ? json : protobuf) as OtlpEncoding<unknown>;
      const { signal } = kind;
      const callback = otlpSender(signal, encoding, groups, receiver as never, options);
      this.bus = makeBus(this.#reporting(callback), { format: "json" });
      this.#intake = {
        add: (record) => {
          let event: string | Uint8Array;
          try {
            event = encoding.encode(signal, record, groups.indexOf(record));
          } catch (cause) {
            return this.bus.ingest(unreadable(cause));
          }
          return this.bus.ingestRaw(event);
        },
      };
    }
    this.#endObservation = observeProcessor(kind.observed, options.selfObsMeterProvider, {
      capacity: limits.maxQueueSize,
      size: () => (exporter === undefined ? this.bus.stats().pending : this.#held.pending.length),
      processed: () => (exporter === undefined ? processedBy(this.bus.stats()) : this.#processed),
    });
  }

  /** The records that wait for their export; with an exporter only. */
  protected get _pending(): R[] {
    return this.#held.pending;
  }

  /** Takes a record, unless the processor is shut down. */
  protected add(record: R): void {
    if (this.#ended !== undefined) return;
    try {
      if (this.#intake.add(record)) return;
    } catch (error) {
      // Too large, or unreadable: the bus has counted it.
      this.#onError(error);
      return;
    }
    this.onFull();
  }

  /** Called for each record that found no room. */
  protected onFull(): void {}

  /** Called at the beginning of a shutdown, as upstream's processors do. */
  protected onShutdown(): void {}

  /** The queue may have records whose events were drained or have expired: only events count. */
  get #isFull(): boolean {
    const limit = this._maxQueueSize;
    return this.#held.pending.length >= limit && this.bus.stats().pending >= limit;
  }

  #hold(record: R): boolean {
    if (this.#isFull || !this.bus.ingestRaw("0")) {
      this.#finish(1, "queue_full");
      return false;
    }
    this.#held.pending.push(record);
    const { length } = this.#held.pending;
    if (length === 1 || length >= this._maxExportBatchSize) this._maybeStartTimer();
    return true;
  }

  /** Exports now, if a batch is full and no other one is under way, and else sets the timer. */
  protected _maybeStartTimer(): void {
    // An exporter that adds records would otherwise begin the next export within its own.
    if (this.#isPolling) return;
    this.#isPolling = true;
    try {
      (this.bus as Bus & { [pollNow](): void })[pollNow]();
    } finally {
      this.#isPolling = false;
    }
  }

  #finish(count: number, errorType: string | undefined): void {
    this.#processed.set(errorType, (this.#processed.get(errorType) ?? 0) + count);
  }

  #fail(error: Error): void {
    if (this.#rejects && this.#flushes > 0) this.#flushError ??= error;
    else this.#onError(error);
  }

  #reporting(callback: DeliveryCallback): DeliveryCallback {
    return async (batch, context) => {
      try {
        return await callback(batch, context);
      } catch (error) {
        this.#onError(error);
        throw error;
      }
    };
  }

  /**
   * Exports all records that wait now, and resolves when that is done. Without an exporter it takes
   * `exportTimeoutMillis` at most; then it fails as it does for an export, and the rest waits on.
   */
  forceFlush(): Promise<void> {
    return this.#ended ?? this.#flush();
  }

  async #flush(): Promise<void> {
    const { pending, inFlight } = this.bus.stats();
    if (pending + inFlight === 0) return;
    this.#flushes++;
    try {
      // An exporter's exports end by themselves.
      const timeoutMs = this.#exporter === undefined ? this._exportTimeoutMillis : undefined;
      const flushed = this.bus.flush({ timeoutMs });
      // Exports begin within the call, as upstream's do.
      if (this.#exporter !== undefined) this._maybeStartTimer();
      try {
        await this.#exporter?.forceFlush?.();
      } catch (error) {
        this.#onError(error);
      }
      if ((await flushed).timedOut) {
        const sentence = `The receiver took not all records within ${timeoutMs} ms (\`exportTimeoutMillis\`); the rest waits for it`;
        this.#fail(new TimeoutError(sentence));
      }
      if (this.#flushError !== undefined) throw this.#flushError;
    } finally {
      this.#flushes--;
      if (this.#flushes === 0) this.#flushError = undefined;
    }
  }

  /**
   * Exports all records, closes the bus and shuts the exporter down. Further records are ignored.
   * Without an exporter it takes `exportTimeoutMillis` at most; later losses go to `onDrop`.
   */
  shutdown(): Promise<void> {
    this.#ended ??= this.#shutDown();
    return this.#ended;
  }

  async #shutDown(): Promise<void> {
    this.onShutdown();
    try {
      // Without an exporter nothing else ends a flush in an outage: closing the bus sends the rest too.
      if (this.#exporter !== undefined) await this.#flush();
    } finally {
      await this.bus.close({ timeoutMs: this._exportTimeoutMillis });
      this.#endObservation();
      this.#held.clear();
      await this.#exporter?.shutdown();
    }
  }
}

/** An event in place of a record that cannot be encoded: the bus counts it as invalid, and throws. */
const unreadable = (cause: unknown) => ({
  toJSON() {
    throw new InvalidEventError(`The record cannot be encoded: ${messageOf(cause)}`, { cause });
  },
});

/** The records whose processing has ended, as a bus counts them. */
function* processedBy({ delivered, rejected, evicted, abandoned }: BusStats) {
  yield [undefined, delivered] as const;
  yield ["queue_full", rejected.full + evicted] as const;
  const { full: _, ...refused } = rejected;
  yield* Object.entries({ ...refused, ...abandoned });
}
