/// <reference lib="esnext.disposable" preserve="true" />

import type { Batch } from "./batch.js";
import { CoreBus } from "./core/core-bus.js";
import { decodeBatchHeader, decodeHeader, decodeStats, flushReport } from "./core/layout.js";
import { row } from "./core/module.js";
import { captureContext } from "./delivery/async-context.js";
import { AutoScheduler } from "./delivery/auto-scheduler.js";
import { Dispatcher } from "./delivery/dispatcher.js";
import { KeepaliveBudget } from "./delivery/keepalive-budget.js";
import { PageLifecycle } from "./delivery/page-lifecycle.js";
import { pollNow } from "./delivery/poll-now.js";
import type { RequestContext } from "./delivery/request-context.js";
import { requestSupport } from "./delivery/request-support.js";
import type { FlushReport, Scheduler } from "./delivery/scheduler.js";
import type { RequestFlusher, WaitUntilOptions } from "./delivery/wait-until.js";
import { ClosedError } from "./errors/closed-error.js";
import { InvalidOptionError } from "./errors/invalid-option-error.js";
import { ScalingError } from "./errors/scaling-error.js";
import { StoreError } from "./errors/store-error.js";
import {
  DEFAULT_MAX_BYTES,
  DEFAULT_TIMEOUT_MS,
  encodeOptions,
  SCALING_REFUSALS,
} from "./generated/layout.js";
import { type IngestOptions, Ingestor, type Receipt } from "./ingest/ingestor.js";
import { StagingBuffer } from "./ingest/staging-buffer.js";
import { deliveryReporter } from "./observability/delivery-reporter.js";
import { traceAttempts } from "./observability/diagnostics.js";
import { LossReporter } from "./observability/loss-reporter.js";
import { wrapCallback } from "./observability/wrap-callback.js";
import type {
  DeliveryCallback,
  DrainOptions,
  EventBusOptions,
  ReadyOptions,
  WaitOptions,
} from "./options.js";
import type { BatchStore } from "./outbox/batch-store.js";
import { createOutbox } from "./outbox/create-outbox.js";
import type { Outbox, OutboxHost } from "./outbox/outbox.js";
import type { BusStats } from "./stats.js";
import { elapsed } from "./util/clock.js";
import { ignorePoisonedAsync } from "./util/detached.js";
import { runInMicrotask } from "./util/event-loop.js";
import { show } from "./util/format-value.js";
import { isPage } from "./util/page.js";
import {
  checkDrainOptions,
  checkOptions,
  checkReadyOptions,
  checkWaitOptions,
  checkWaitUntilOptions,
} from "./validation/bus-options.js";
import { completeOptions } from "./validation/complete-options.js";

/** A store that can make the outbox of a bus. */
interface StoreWithOutbox extends BatchStore {
  [createOutbox](core: CoreBus, host: OutboxHost): Outbox;
}

/** Helps callers of a method without its bus, or by way of a proxy. */
let ingestorOf: <T>(bus: EventBus<T>) => Ingestor<T>;

/** The time that `close()` takes at most unless it is told. */
const DEFAULT_CLOSE_TIMEOUT_MS = 10_000;

/**
 * Takes events one at a time, holds them as bytes within bounds, and hands them in batches to a
 * callback that sends them.
 *
 * @example
 * ```ts
 * import { httpSink } from "shardbus/sinks/http";
 * const bus = new EventBus(httpSink("https://collector.example/events"));
 * bus.ingest({ type: "click" });
 * await bus.close();
 * ```
 */
export class EventBus<T = unknown> {
  readonly #core: CoreBus;
  readonly #staging: StagingBuffer;
  readonly #ingestor: Ingestor<T>;
  readonly #dispatcher: Dispatcher<T>;
  readonly #outbox: Outbox | undefined;
  readonly #scheduler: Scheduler;
  readonly #waitUntil: EventBusOptions["waitUntil"];
  #requestFlusher: RequestFlusher | undefined;
  readonly #lifecycle: PageLifecycle | undefined;
  readonly #losses: LossReporter<T>;
  #send: DeliveryCallback<T>;
  readonly #maxBytes: number;
  #isRestoring = false;
  #closing: Promise<FlushReport> | undefined;
  /** The statistics, once the core is gone. */
  #lastStats: BusStats | undefined;

  /**
   * @throws {InvalidOptionError} if the callback is not a function, or an option has a wrong name,
   * type or value.
   */
  constructor(callback: DeliveryCallback<T>, options?: EventBusOptions<T>) {
    if (typeof callback !== "function") {
      throw new InvalidOptionError(
        "callback",
        `The callback is ${callback === null ? "null" : `of type ${typeof callback}`}, but it must be a function that sends a batch`,
      );
    }
    const checked = checkOptions<T>(options);
    const { onDrop, onDelivered, store, onStoreError, lifecycle, exitOrder } = checked;
    this.#waitUntil = checked.waitUntil || undefined;
    this.#maxBytes = checked.maxBytes ?? DEFAULT_MAX_BYTES;
    const isManual = checked.scheduler === "manual";
    const SchedulerClass = isManual ? requestSupport("scheduler").ManualScheduler : AutoScheduler;
    if (this.#waitUntil !== undefined) requestSupport("waitUntil");
    const isInPage = lifecycle !== "manual" && isPage();
    this.#core = new CoreBus(completeOptions(encodeOptions(checked)));
    if (store !== undefined) this.#core.beginRestore();
    const run = captureContext();
    this.#losses = new LossReporter(
      {
        bus: this,
        lost: () => this.#lost(),
        stats: () => this.stats(),
        cause: () => this.#dispatcher.failures.current,
        refusal: (reason) => this.#ingestor.errorOf(reason),
        hasTimers: !isManual,
        run,
      },
      onDrop,
    );
    const timeoutMs = checked.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#outbox =
      store &&
      (store as StoreWithOutbox)[createOutbox](this.#core, {
        // The callback should have most of an attempt's time.
        timeoutMs: timeoutMs / 4,
        schedule: () => this.#scheduler.schedule(),
        onFound: () => isManual || this.#restore(),
        onStoreError,
        makeError: (...args) => new StoreError(...args),
        run,
        lastBatch: () => decodeBatchHeader(this.#core),
        evictStored: () => (this.#core.evictStored() ? decodeHeader() : undefined),
        now: elapsed,
      });
    this.#send = traceAttempts(this, callback);
    const reportDelivery = deliveryReporter(onDelivered);
    this.#dispatcher = new Dispatcher<T>(this.#core, {
      callback: (...args) => run(this.#send, ...args),
      timeoutMs,
      outbox: this.#outbox,
      keepalive: isInPage ? new KeepaliveBudget() : undefined,
      exitOrder: exitOrder ?? "oldest",
      onAbandoned: (...loss) => this.#losses.abandoned(...loss),
      onDelivered: (...delivery) => run(reportDelivery, ...delivery),
    });
    this.#scheduler = new SchedulerClass<T>(this.#core, this.#dispatcher, {
      restore: async () => this.#outbox?.restore(),
      beforePoll: () => this.#ingestor.cross(),
      onTurnEnd: () => this.#ingestor.offerEmitted(),
      onLeeway: (leeway) => this.#staging.setLeeway(leeway),
      keepStaged: (now) => this.#staging.keep(now),
      afterPoll: () => {
        this.#losses.report();
        if (!isManual) this.#restore();
      },
      afterFlush: () => this.#losses.reportAll(),
    });
    this.#staging = new StagingBuffer(this.#core, checked.format ?? "ndjson", this.#scheduler);
    const ingestorHost = {
      scheduler: this.#scheduler,
      onRefusedAfterClose: () => this.#losses.schedule(),
    };
    this.#ingestor = new Ingestor(this.#core, this.#staging, ingestorHost, checked);
    if (isInPage && this.#scheduler instanceof AutoScheduler) {
      this.#lifecycle = new PageLifecycle(this.#scheduler);
    }
    // Bound, so that it can be handed on: it must not throw then either.
    Object.defineProperty(this, "emit", { value: this.emit.bind(this), writable: true });
    // IO is not to be had at a Worker's global scope.
    if (store !== undefined && !isManual) runInMicrotask(() => this.#restore());
  }

  /**
   * Offers an event, and forgets it: for code that must not break because of its telemetry. It
   * never throws. An event that is refused is counted, and told to `onDrop` with its error. The bus
   * may serialise it as late as at the end of this turn, so changes made until then may show.
   *
   * It needs no `this`: `emitter.on("click", bus.emit)` works.
   */
  emit(event: T, options?: IngestOptions): void {
    if (this.#waitUntil !== undefined) this.#requests().requestAmbient();
    this.#ingestor.emit(event, options);
  }

  /**
   * Offers an event. It is serialised now: later changes to it do not show.
   *
   * @returns whether it was accepted.
   * @throws {InvalidEventError} if JSON cannot hold it, or its key is not a well-formed string.
   * @throws {EventTooLargeError} if it has more than `maxEventBytes` bytes.
   * @throws {BackpressureError} if there is no room and `backpressure` is `"fail-producer"`.
   * @throws {InvalidOptionError} if the second argument has anything but a `key`.
   */
  ingest(event: T, options?: IngestOptions): boolean {
    return ingestorOf(this).ingest(event, options);
  }

  /**
   * Offers an event that is one JSON text already. It is not parsed; in format `"ndjson"` it must
   * not hold a newline. Without a `key` it is routed by its own bytes.
   *
   * @returns whether it was accepted.
   * @throws as {@linkcode ingest}.
   */
  ingestRaw(payload: string | Uint8Array, options?: IngestOptions): boolean {
    return ingestorOf(this).ingestRaw(payload, options);
  }

  /**
   * Offers events in order, each as {@linkcode ingest} would, but without throwing: invalid and too
   * large events count as rejected.
   *
   * The events of an array without keys are serialised some at a time, before they are offered. Only
   * code of an event's own, such as `toJSON`, can tell: if it calls the bus, none of those is in it
   * yet; and if one of them cannot be serialised, they are all serialised once more.
   *
   * @throws {InvalidEventError} if `events` cannot be iterated over.
   */
  ingestBatch(
    events: Iterable<T>,
    options?: IngestOptions,
  ): {
    accepted: number;
    rejected: number;
  } {
    return ingestorOf(this).ingestBatch(events, options);
  }

  /**
   * Offers an event, and says where it went or why it was refused. Slower than
   * {@linkcode ingest}. It never throws for a refusal.
   */
  ingestWithReceipt(event: T, options?: IngestOptions): Receipt {
    return ingestorOf(this).ingestWithReceipt(event, options);
  }

  static {
    ingestorOf = (bus) => {
      if (typeof bus === "object" && bus !== null && #ingestor in bus) {
        if (bus.#waitUntil !== undefined) bus.#requests().requestAmbient();
        return bus.#ingestor;
      }
      throw new InvalidOptionError(
        "this",
        "The method was called without its bus; write (event) => bus.ingest(event), or hand on `bus.emit`, which is bound. If the bus is behind a proxy, keep it out of it: `markRaw(bus)` in Vue",
      );
    };
  }

  /** Keeps reactive frameworks, which make proxies of plain objects, from making one of a bus. */
  get [Symbol.toStringTag](): string {
    return "EventBus";
  }

  /**
   * Resolves when there is room: no shard is in its last quarter, and an event of `maxEventBytes`
   * would fit. While somebody waits for it, batches leave without waiting for size or time.
   *
   * @throws {ClosedError} if the bus is closed first.
   * @throws the reason of `signal`, if it is aborted first.
   */
  async ready(options?: ReadyOptions): Promise<void> {
    const { signal } = checkReadyOptions(options);
    signal?.throwIfAborted();
    if (this.#closing !== undefined) throw new ClosedError();
    if (!this.isReady) await this.#scheduler.ready(signal);
  }

  /** True if {@linkcode ready} would resolve at once. */
  get isReady(): boolean {
    if (this.#closing !== undefined) return false;
    this.#ingestor.cross();
    return this.#core.isReady();
  }

  /**
   * Sends the pending events now, without waiting for size or time, and resolves when all of them
   * are settled, batches in flight included. Later events are not waited for. Flushes may overlap.
   *
   * @throws the reason of `signal`, if it is aborted first.
   */
  async flush(options?: WaitOptions): Promise<FlushReport> {
    const checked = checkWaitOptions(options);
    if (this.#closing !== undefined) return this.#closing;
    return this.#scheduler.flush(checked);
  }

  /**
   * Flushes within a request: `ctx.waitUntil` gets a promise that settles when the pending events
   * have been sent. Requests that come close together share one flush. It begins once no event was
   * offered for about 50 ms, so that a handler's events leave together, or after about 500 ms if
   * the bus is never quiet; `options` say otherwise. It ends after 25 seconds, because a Worker
   * lives on for 30 at most after its response.
   *
   * Call it next to {@linkcode ingest}, after a handler's last long `await`: a flush does not cover
   * later events. While the promise is pending, further calls with the same `ctx` only make sure
   * that there is a flush after them.
   *
   * @param ctx may be left out where the runtime tells which request runs (Vercel, Netlify, Supabase,
   * Bunny), or where the bus has the option `waitUntil`.
   * @throws {InvalidOptionError} if `ctx` has no `waitUntil` method, an option has a wrong name,
   * type or value, or `import "shardbus/requests"` is missing, which pages and `shardbus/slim` need.
   */
  waitUntil(ctx?: RequestContext, options?: WaitUntilOptions): void {
    this.#requests().request(ctx, checkWaitUntilOptions(options));
  }

  #requests(): RequestFlusher {
    this.#requestFlusher ??= new (requestSupport("waitUntil").RequestFlusher)({
      offered: () => this.#offered(),
      pending: () => this.stats().pending,
      waitUntil: this.#waitUntil,
      flush: async (options) => this.#closing ?? this.#scheduler.flush(options),
    });
    return this.#requestFlusher;
  }

  /**
   * Adds shards. A key may move to another shard then: events accepted before the change are
   * delivered, or lost and counted, before any event accepted after it is sent.
   *
   * @returns the new shards' ids; ids are never used again.
   * @throws {ScalingError} if there would be more than `scaling.maxShards`, or `scaling` is off.
   * @throws {ClosedError} if the bus is closed.
   */
  scaleUp(count = 1): number[] {
    return this.#scale(count, (core) => core.scaleUp(count));
  }

  /**
   * Drains shards, the emptiest first, as many as may go: they take no more events, their events
   * are delivered without waiting for size or time, and then they are removed.
   *
   * @returns the ids of the shards that drain.
   * @throws {ScalingError} if there are no more than `scaling.minShards`, or `scaling` is off.
   * @throws {ClosedError} if the bus is closed.
   */
  scaleDown(count = 1): number[] {
    return this.#scale(count, (core) => core.scaleDown(count));
  }

  #scale(count: number, change: (core: CoreBus) => number): number[] {
    if (this.#closing !== undefined) throw new ClosedError();
    if (!Number.isInteger(count) || count < 0 || count > 65_535) {
      throw new InvalidOptionError(
        "count",
        `\`count\` is ${show(count)}, but it must be a whole number from 0 to 65535`,
      );
    }
    this.#ingestor.cross();
    const length = change(this.#core);
    const ids = [...row(length).subarray(0, length)];
    this.#staging.look();
    this.#scheduler.schedule();
    const refusal = SCALING_REFUSALS[ids[0] ?? 0];
    if (refusal !== undefined) throw new ScalingError(refusal);
    return ids;
  }

  /**
   * The shard that an event with this key goes to now; or, given bytes, an event without a key that
   * has exactly these. Load may send events without a key elsewhere, but only where `scaling` is
   * on.
   *
   * @throws {InvalidEventError} if the key is not a well-formed string.
   * @throws {EventTooLargeError} if the key has more than `maxKeyBytes` bytes, or the bytes are more
   * than `maxEventBytes`.
   * @throws {BackpressureError} if there is no memory to look at them.
   * @throws {ClosedError} if the bus is closed.
   */
  shardFor(keyOrBytes: string | Uint8Array): number {
    if (this.#lastStats !== undefined) throw new ClosedError();
    return this.#ingestor.shardFor(keyOrBytes);
  }

  /** Resolves when all callbacks that run now have settled. Starts none. */
  async settled(): Promise<void> {
    await this.#scheduler.settled();
  }

  /**
   * Takes batches out of the bus, now: they are the caller's to send, and count as `drained`. For
   * the last moment of a page or process. Batches in flight stay in flight.
   */
  drain(options?: DrainOptions): Batch<T>[] {
    const { maxBytes = Number.POSITIVE_INFINITY } = checkDrainOptions(options);
    if (this.#lastStats !== undefined) return [];
    this.#ingestor.cross();
    const batches = this.#dispatcher.drain(maxBytes);
    this.#losses.reportAll();
    this.#scheduler.schedule();
    return batches;
  }

  /**
   * Writes all unsettled events to the `store` before it returns: for the last moment of a process,
   * such as `process.on("exit")`. The next start sends them.
   *
   * @returns whether there is a store that can do so.
   */
  saveSync(): boolean {
    if (this.#lastStats !== undefined || this.#outbox === undefined) return false;
    this.#ingestor.cross();
    this.#dispatcher.seed();
    return this.#outbox.writeAllSync();
  }

  /**
   * Resolves once everything that was accepted before the call is in the `store`, or delivered, or
   * lost and told. Without a store it is as {@linkcode flush}.
   *
   * @throws {StoreError} if the store did not take it; it stays in memory, and is sent all the same.
   */
  async persisted(): Promise<void> {
    if (this.#closing !== undefined) await this.#closing;
    else if (this.#outbox === undefined) await this.flush();
    else {
      this.#ingestor.cross();
      this.#dispatcher.seed();
      await this.#outbox.persist();
    }
  }

  /** Accounts for every event. Works after `close()` as well. */
  stats(): BusStats {
    if (this.#lastStats !== undefined) {
      const { offered, rejected, ...rest } = this.#lastStats;
      const { refusedAfterClose: late } = this.#ingestor;
      return {
        ...rest,
        offered: offered + late,
        rejected: { ...rejected, closed: rejected.closed + late },
      };
    }
    this.#ingestor.cross();
    return this.#stats();
  }

  #stats(): BusStats {
    const { failures, runId } = this.#dispatcher;
    return {
      ...decodeStats(this.#core),
      maxBytes: this.#maxBytes,
      store: this.#outbox?.stats(),
      lastError: failures.last,
      runId,
    };
  }

  /**
   * Refuses new events, flushes, aborts what still runs when the time is up, gives up the rest (it
   * goes to `onDrop` and counts as `abandoned.shutdown`), and frees the memory. With a `store`, the
   * rest stays there for the next start (and counts as `drained`). Further calls wait for the same
   * end.
   *
   * Retries are cut short: a batch that waits for its next attempt is sent now, unless the receiver
   * asked for the pause, and nothing waits for an attempt that could not begin in time.
   *
   * @param options `timeoutMs`: how long the flush may take; default 10000. `signal`: ends it
   * early.
   */
  async close(options?: WaitOptions): Promise<FlushReport> {
    const checked = checkWaitOptions(options);
    checked.timeoutMs ??= DEFAULT_CLOSE_TIMEOUT_MS;
    // First: code of an emitted event's own may close the bus.
    if (this.#closing === undefined) this.#ingestor.cross();
    this.#closing ??= this.#close(checked);
    return this.#closing;
  }

  async #close(options: ReturnType<typeof checkWaitOptions>): Promise<FlushReport> {
    this.#core.close();
    this.#staging.look();
    const flush = this.#core.beginFlush(Number.POSITIVE_INFINITY);
    this.#outbox?.stop();
    let timedOut = true;
    let bug: unknown;
    try {
      ({ timedOut } = await this.#scheduler.flush(options));
    } catch (error) {
      // Aborted: as if the time were up. A bug of ours is told once the bus is closed all the same.
      if (!options.signal?.aborted) bug = error;
    }
    this.#lifecycle?.stop();
    this.#dispatcher.seed();
    await this.#outbox?.writeAll();
    this.#scheduler.conclude();
    this.#outbox?.release();
    this.#scheduler.stop();
    const report = flushReport(this.#core, flush, timedOut);
    this.#lastStats = this.#stats();
    this.#ingestor.close();
    this.#core.free();
    this.#losses.reportAll();
    await this.#outbox?.close();
    if (bug !== undefined) throw bug;
    return report;
  }

  /** @internal */
  [wrapCallback](wrap: (send: DeliveryCallback<T>) => DeliveryCallback<T>): void {
    this.#send = wrap(this.#send);
  }

  /** @internal */
  [pollNow](): void {
    this.#scheduler.pollNow?.();
  }

  /** `close()` at the end of an `await using` scope. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Brings back the batches of earlier runs, beside everything else. */
  #restore(): void {
    if (this.#isRestoring || !this.#outbox?.wantsRestored) return;
    this.#isRestoring = true;
    const restored = this.#outbox.restore().finally(() => {
      this.#isRestoring = false;
    });
    void ignorePoisonedAsync(restored);
  }

  #offered(): number {
    if (this.#lastStats !== undefined) return this.#lastStats.offered;
    this.#ingestor.cross();
    return this.#core.offered();
  }

  #lost(): number {
    if (this.#lastStats === undefined) return this.#core.lost();
    const { offered, accepted, evicted } = this.stats();
    return offered - accepted + evicted;
  }
}
