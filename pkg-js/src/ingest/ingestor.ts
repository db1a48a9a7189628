import type { CoreBus } from "../core/core-bus.js";
import { assertRoom, misuse } from "../core/module.js";
import type { Scheduler } from "../delivery/scheduler.js";
import { BackpressureError } from "../errors/backpressure-error.js";
import { ClosedError } from "../errors/closed-error.js";
import { EventTooLargeError } from "../errors/event-too-large-error.js";
import { InvalidEventError } from "../errors/invalid-event-error.js";
import { InvalidOptionError } from "../errors/invalid-option-error.js";
import { isShardbusError } from "../errors/shardbus-error.js";
import { DEFAULT_SHARDS, Refusal } from "../generated/layout.js";
import type { DropReason, EventBusOptions, RejectReason } from "../options.js";
import { messageOf, show } from "../util/format-value.js";
import { isBytes } from "../util/is-bytes.js";
import { own } from "../util/own.js";
import { guardGetters, isRecord } from "../validation/schema.js";
import { type ArrayTarget, FIRST_EVENTS, ingestArray, isPlainArray } from "./ingest-array.js";
import { serialize, validKey, validText } from "./serialize.js";
import { type EventRun, STAGED, type StagingBuffer } from "./staging-buffer.js";

/** Emitted events that wait to be serialised together, at most. */
const MAX_EMITTED = 256;

/** Options of a single event. */
export interface IngestOptions {
  /** Routes the event; instead of the bus's `key` option. */
  readonly key?: string | undefined;
}

/** The event's shard, or the reason why it was refused. */
export type Receipt =
  | {
      readonly shard: number;
      /** The time at which the event was accepted: nanoseconds since the Unix epoch. */
      readonly timestamp: bigint;
    }
  | { readonly rejected: RejectReason };

const REASONS: { readonly [code: number]: RejectReason } = {
  [Refusal.full]: "full",
  [Refusal.sampled]: "sampled",
  [Refusal.unrouted]: "unrouted",
  [Refusal.oversize]: "oversize",
  [Refusal.keyTooLong]: "oversize",
  [Refusal.invalid]: "invalid",
  [Refusal.closed]: "closed",
};

/** The ingestor's view of its bus. */
export interface IngestorHost {
  /** Polls the core after events were accepted or refused. */
  readonly scheduler: Pick<Scheduler, "schedule" | "scheduleStaged">;
  /** An event came after the end. */
  onRefusedAfterClose(): void;
}

/**
 * Serialises events, finds their keys, offers them, and reports the results. The methods are those
 * of the `EventBus`.
 */
export class Ingestor<T> {
  readonly #core: CoreBus;
  readonly #staging: StagingBuffer;
  readonly #host: IngestorHost;
  readonly #key: EventBusOptions<T>["key"];
  /** False with a single fixed shard: the key cannot change the route, so it is never computed. */
  readonly #routes: boolean;
  readonly #isNdjson: boolean;
  readonly #failsProducer: boolean;
  /** Open once it is made: engines take what never changes for a constant, and compile anew later. */
  #isClosed = true;
  #refusedAfterClose = 0;
  /** The refusal of the last event that was too large, or its key. */
  #lastTooLarge: number = Refusal.oversize;
  /** Why an event was invalid: the last one's error. */
  #lastInvalid: InvalidEventError | InvalidOptionError | undefined;
  #hasFailed = false;
  /** Emitted events that wait to be serialised. They come before all that are offered later. */
  #emitted: T[] = [];
  /** True while emitted events are offered, which may run code of theirs. */
  #isOffering = false;
  readonly #arrays: ArrayTarget<T> = {
    offer: (event) => this.#isAccepted(event, undefined),
    stageMany: (events) => this.#stageMany(events),
    limit: FIRST_EVENTS,
  };

  constructor(
    core: CoreBus,
    staging: StagingBuffer,
    host: IngestorHost,
    options: EventBusOptions<T>,
  ) {
    this.#core = core;
    this.#staging = staging;
    this.#host = host;
    this.#key = options.key;
    this.#routes = (options.shards ?? DEFAULT_SHARDS) > 1 || options.scaling !== undefined;
    this.#isNdjson = options.format !== "json";
    this.#failsProducer = options.backpressure === "fail-producer";
    this.#isClosed = false;
  }

  /** The number of events offered after the bus was closed. */
  get refusedAfterClose(): number {
    return this.#refusedAfterClose;
  }

  /** The error of events that were refused for this reason; for want of room there is none. */
  errorOf(reason: DropReason): Error | undefined {
    switch (reason) {
      case "invalid":
        return this.#lastInvalid;
      case "oversize":
        return this.#tooLarge(this.#lastTooLarge);
      case "closed":
        return new ClosedError();
      default:
        return undefined;
    }
  }

  /** Refuses every event from now on: the core is gone. */
  close(): void {
    this.#isClosed = true;
  }

  emit(event: T, options: IngestOptions | undefined): void {
    try {
      if (options !== undefined || !this.#mayWait()) {
        this.ingest(event, options);
        return;
      }
      this.#host.scheduler.scheduleStaged();
      if (this.#emitted.push(event) >= MAX_EMITTED) this.offerEmitted();
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  /**
   * Tells whether an emitted event may wait: if the core is sure to have a slot for it, and the end of
   * a turn is still to come, at which it is offered.
   */
  #mayWait(): boolean {
    const hasKeys = this.#routes && this.#key !== undefined;
    return (
      !hasKeys &&
      !this.#isOffering &&
      !this.#isClosed &&
      this.#staging.hasSlots(this.#emitted.length + 1)
    );
  }

  /** Offers the emitted events that have waited. */
  offerEmitted(): void {
    if (this.#emitted.length === 0) return;
    // They must not pay for a caller at the end of the stack.
    assertRoom(2);
    const events = this.#emitted;
    this.#emitted = [];
    this.#isOffering = true;
    try {
      if (this.#staging.isOpen) ingestArray(events, this.#arrays);
      // What need not cross does not have the core loaded.
      else events.forEach(this.#arrays.offer);
    } catch (error) {
      this.#noteFailure(error);
    } finally {
      this.#isOffering = false;
    }
  }

  /** Tells of an error for the first time, as the caller must not hear of it. */
  #noteFailure(error: unknown): void {
    // The refused event is counted, and `onDrop` is told.
    if (isRefusal(error) || this.#hasFailed) return;
    // First: a console may emit an event of its own.
    this.#hasFailed = true;
    try {
      console.error("shardbus: `emit` cannot take events any more", error);
    } catch {
      // At the end of the stack: a later failure is told instead.
      this.#hasFailed = false;
    }
  }

  /** Brings in all events that have been offered. */
  cross(): void {
    this.offerEmitted();
    this.#staging.cross();
  }

  ingest(event: T, options: IngestOptions | undefined): boolean {
    if (this.#isClosed) return this.#refuse();
    this.offerEmitted();
    let text: string;
    let key: string | undefined;
    try {
      checkIngestOptions(options);
      text = serialize(event);
      key = this.#keyOf(event, options);
    } catch (error) {
      throw this.#invalid(error);
    }
    return this.#accepted(this.#staging.offer(text, key));
  }

  ingestRaw(payload: string | Uint8Array, options: IngestOptions | undefined): boolean {
    if (this.#isClosed) return this.#refuse();
    this.offerEmitted();
    this.#core.mayHaveRaw = true;
    let key: string | undefined;
    try {
      checkIngestOptions(options);
      if (typeof payload === "string") validText(payload);
      else if (!isBytes(payload)) {
        throw new InvalidEventError("A raw event must be a string or a Uint8Array");
      }
      key = this.#routes ? validKey(own(options, "key")) : undefined;
    } catch (error) {
      throw this.#invalid(error);
    }
    if (typeof payload === "string") {
      if (payload !== "" && !(this.#isNdjson && payload.includes("\n"))) {
        return this.#accepted(this.#staging.offer(payload, key));
      }
      this.#staging.cross();
      return this.#pushed(this.#staging.pushUnchecked(payload, key));
    }
    return this.#accepted(this.#staging.offerBytes(payload, key));
  }

  ingestBatch(
    events: Iterable<T>,
    options: IngestOptions | undefined,
  ): { accepted: number; rejected: number } {
    if (typeof events?.[Symbol.iterator] !== "function") {
      throw new InvalidEventError("`ingestBatch` takes an iterable of events, such as an array");
    }
    checkIngestOptions(options);
    this.offerEmitted();
    const offer = (event: T) => this.#isAccepted(event, options);
    // Reading a key may throw, which refuses an event and not the call: `offer` reads it.
    const mayHaveKeys = this.#routes && (this.#key !== undefined || options !== undefined);
    if (isPlainArray(events) && !mayHaveKeys && !this.#isClosed) {
      return ingestArray(events, this.#arrays);
    }
    let accepted = 0;
    let rejected = 0;
    for (const event of events) {
      if (offer(event)) accepted++;
      else rejected++;
    }
    return { accepted, rejected };
  }

  /** {@linkcode ingest}, without throwing for a refusal. */
  #isAccepted(event: T, options: IngestOptions | undefined): boolean {
    try {
      return this.ingest(event, options);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return false;
    }
  }

  #stageMany(events: EventRun): number {
    this.#staging.cross();
    const accepted = this.#staging.pushMany(events);
    this.#host.scheduler.schedule();
    return accepted;
  }

  ingestWithReceipt(event: T, options: IngestOptions | undefined): Receipt {
    if (this.#isClosed) {
      this.#refuse();
      return { rejected: "closed" };
    }
    this.offerEmitted();
    let text: string;
    let key: string | undefined;
    try {
      checkIngestOptions(options);
      text = serialize(event);
      key = this.#keyOf(event, options);
    } catch (error) {
      this.#invalid(error);
      return { rejected: "invalid" };
    }
    this.#staging.cross();
    const code = this.#staging.push(text, key);
    this.#host.scheduler.schedule();
    if (code === Refusal.oversize || code === Refusal.keyTooLong) this.#lastTooLarge = code;
    if (code < 0) return { rejected: reasonOf(code) };
    return { shard: code, timestamp: this.#staging.lastTimestamp() };
  }

  #keyOf(event: T, options: IngestOptions | undefined): string | undefined {
    if (!this.#routes) return undefined;
    let key: unknown = own(options, "key");
    try {
      key ??= this.#key?.(event);
    } catch (cause) {
      throw new InvalidEventError(`The \`key\` function threw: ${messageOf(cause)}`, { cause });
    }
    return validKey(key);
  }

  /** Counts an event that cannot be serialised, and returns the error that says so. */
  #invalid(error: unknown): InvalidEventError | InvalidOptionError {
    this.#staging.cross();
    this.#core.refuseInvalid();
    this.#host.scheduler.schedule();
    this.#lastInvalid = invalidity(error);
    return this.#lastInvalid;
  }

  #accepted(code: number): boolean {
    return code === STAGED || this.#pushed(code);
  }

  shardFor(keyOrBytes: string | Uint8Array): number {
    const code = this.#staging.shardFor(
      isBytes(keyOrBytes) ? keyOrBytes : (validKey(keyOrBytes) ?? ""),
    );
    if (code === Refusal.full) throw new BackpressureError();
    if (code < 0) throw this.#tooLarge(code);
    return code;
  }

  #tooLarge(code: number): EventTooLargeError {
    return code === Refusal.keyTooLong
      ? new EventTooLargeError("maxKeyBytes", this.#core.maxKeyBytes())
      : new EventTooLargeError("maxEventBytes", this.#core.maxEventBytes());
  }

  /** The result of an event that has crossed. */
  #pushed(code: number): boolean {
    this.#host.scheduler.schedule();
    if (code >= 0) return true;
    switch (code) {
      case Refusal.full:
        if (this.#failsProducer) throw new BackpressureError();
        return false;
      case Refusal.oversize:
      case Refusal.keyTooLong:
        this.#lastTooLarge = code;
        throw this.#tooLarge(code);
      case Refusal.invalid:
        this.#lastInvalid = new InvalidEventError(
          'A raw event must not be empty, nor hold a newline in format "ndjson"',
        );
        throw this.#lastInvalid;
      default:
        reasonOf(code);
        return false;
    }
  }

  #refuse(): false {
    this.#refusedAfterClose++;
    this.#host.onRefusedAfterClose();
    return false;
  }
}

function reasonOf(code: number): RejectReason {
  const reason = REASONS[code];
  if (reason === undefined) throw misuse(code);
  return reason;
}

/** A caller who passes a second part of the event should hear that it does not go along. */
function checkIngestOptions(options: unknown): void {
  if (options !== undefined && options !== null) guardGetters(() => checkNames(options));
}

function checkNames(options: unknown): void {
  if (!isRecord(options)) {
    throw new InvalidOptionError(
      "options",
      `The second argument is ${show(options)}, but it must be options of the event, such as { key }; to hand the method on, write (event) => bus.emit(event)`,
    );
  }
  for (const name of Object.keys(options)) {
    if (name === "key") continue;
    throw new InvalidOptionError(
      name,
      `\`${name}\` is not an option of an event, there is key; what belongs to the event goes into the first argument, as one object`,
    );
  }
}

function invalidity(error: unknown): InvalidEventError | InvalidOptionError {
  // A proxy may throw at `instanceof`.
  if (isShardbusError(error)) {
    if (error instanceof InvalidEventError || error instanceof InvalidOptionError) return error;
  }
  return new InvalidEventError(`The event cannot be written as JSON: ${messageOf(error)}`, {
    cause: error,
  });
}

const isRefusal = (error: unknown): boolean =>
  error instanceof InvalidEventError ||
  error instanceof InvalidOptionError ||
  error instanceof EventTooLargeError ||
  error instanceof BackpressureError;
