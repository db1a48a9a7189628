import type { Batch } from "./batch.js";
import type { EventBus } from "./event-bus.js";
import type { EventOutcomes } from "./event-outcomes.js";
import { DeliveryError, isShardbusError } from "./internal.js";
import type { DeliveryCallback, EventBusOptions, WaitOptions } from "./options.js";
import type { EventStream, Signal } from "./util/platform.js";

export type { EventStream } from "./util/platform.js";

/** Options of {@linkcode writableTo}. */
export interface WritableOptions {
  /**
   * True if each chunk is one JSON text already, as a string or a `Uint8Array`; it goes to
   * `ingestRaw`.
   * @default false
   */
  readonly raw?: boolean | undefined;
  /**
   * Fails the stream once it is aborted. Give it that of `pipeTo`, which aborts a stream only after
   * the chunk that waits for room.
   */
  readonly signal?: Signal | undefined;
}

/** The pause before an event is offered again for which there was no memory. */
const PAUSE_MS = 20;

/**
 * A stream that writes into a bus, and waits where a full bus would evict or refuse events. To close
 * it flushes the bus; if events were abandoned or evicted since it began, that fails. An event that
 * the bus cannot take at all (invalid, too large) fails the stream. A stream that is aborted waits no
 * longer.
 *
 * @example
 * ```ts
 * await readable.pipeTo(writableTo(bus));
 * ```
 */
export function writableTo(
  bus: Pick<EventBus, "flush" | "ingest" | "ingestRaw" | "isReady" | "ready" | "stats">,
  { raw = false, signal: given }: WritableOptions = {},
): EventStream {
  const offer = (chunk: unknown) =>
    raw ? bus.ingestRaw(chunk as string | Uint8Array) : bus.ingest(chunk);
  let flushing: Promise<unknown> | undefined;
  const waitForRoom = async () => {
    while (!bus.isReady) {
      // The scheduler "manual" sends nothing by itself.
      flushing ??= bus.flush({ signal }).finally(() => {
        flushing = undefined;
      });
      flushing.catch(() => {});
      await bus.ready({ signal });
    }
  };
  const lostBefore = lostBy(bus);
  const ending = new AbortController();
  const { signal } = ending;
  // A signal may outlive many streams.
  let letGoOfSignal = () => {};
  return new WritableStream({
    start(controller) {
      const { signal: own } = controller;
      own.addEventListener("abort", () => ending.abort(own.reason));
      const end = () => {
        ending.abort(given?.reason);
        controller.error(given?.reason);
      };
      if (given?.aborted) end();
      given?.addEventListener("abort", end);
      letGoOfSignal = () => given?.removeEventListener("abort", end);
      signal.addEventListener("abort", letGoOfSignal);
    },
    async write(chunk) {
      for (;;) {
        signal.throwIfAborted();
        await waitForRoom();
        if (isTaken(() => offer(chunk))) return;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    },
    async close() {
      await bus.flush({ signal }).finally(letGoOfSignal);
      const lost = lostBy(bus) - lostBefore;
      if (lost > 0)
        throw new DeliveryError(`${lost} events of the stream, or beside it, were lost`);
    },
  });
}

/** The number of events that a bus accepted and lost. */
function lostBy(bus: Pick<EventBus, "stats">): number {
  const { abandoned, evicted } = bus.stats();
  return Object.values(abandoned).reduce((sum, count) => sum + count, evicted);
}

/** False if there is no room for the event, by whichever policy. */
function isTaken(offer: () => boolean): boolean {
  try {
    return offer();
  } catch (error) {
    if (isShardbusError(error) && error.code === "ERR_BACKPRESSURE") return false;
    throw error;
  }
}

/** A batch of a {@linkcode PullBus}, which is in flight until it is answered for. */
export interface PulledBatch<T = unknown> extends Batch<T> {
  /** 1 for the batch's first attempt. */
  readonly attempt: number;
  /** Aborted when the attempt has taken `timeoutMs`, or when the bus closes. */
  readonly signal: Signal;
  /** The batch is delivered, except for the events that `outcomes` names. */
  settle(outcomes?: EventOutcomes): void;
  /** The attempt has failed, as if a callback had thrown the error. */
  fail(error: unknown): void;
}

/** A bus whose batches are pulled instead of pushed to a callback. */
export type PullBus<T = unknown> = EventBus<T> & AsyncIterable<PulledBatch<T>>;

/** The class `EventBus` of any entry. */
export type EventBusClass<T> = new (
  callback: DeliveryCallback<T>,
  options?: EventBusOptions<T>,
) => EventBus<T>;

/** Long enough for any loop: a batch that waits to be pulled has not failed. */
const TIMEOUT_MS = 3_600_000;

/**
 * Makes a bus to loop over. To ask for the next batch acknowledges the last one; to leave the loop
 * gives it back, and it comes again with its id. `settle` and `fail` answer for a batch in other
 * ways. The loop ends when the bus is closed; until then it keeps the process alive. Several loops
 * at once share the batches: there is one in flight for each shard.
 *
 * @example
 * ```ts
 * const bus = pullBus(EventBus, { backpressure: "drop-newest" });
 * for await (const batch of bus) await store(batch.events());
 * ```
 * @param Bus the class `EventBus`, of the entry that you use.
 * @param options `timeoutMs`, by default an hour, counts from the moment at which a batch could be
 * pulled.
 */
export function pullBus<T = unknown>(
  Bus: EventBusClass<T>,
  options: EventBusOptions<T> = {},
): PullBus<T> {
  const exchange = new Exchange<T>();
  class Pulled extends Bus {
    override async close(waitOptions?: WaitOptions) {
      try {
        return await super.close(waitOptions);
      } finally {
        exchange.end();
      }
    }

    [Symbol.asyncIterator](): AsyncIterator<PulledBatch<T>> {
      return exchange.pull();
    }
  }
  return new Pulled(exchange.offer, { ...options, timeoutMs: options.timeoutMs ?? TIMEOUT_MS });
}

/** Gets the next batch, or nothing at the end. */
type Taker<T> = (batch: PulledBatch<T> | undefined) => void;

/** Batches that wait for loops, and loops that wait for batches. */
class Exchange<T> {
  readonly #offers = new Set<PulledBatch<T>>();
  readonly #takers = new Set<Taker<T>>();
  #keepsAlive: ReturnType<typeof setInterval> | undefined;
  #isEnded = false;

  /** The bus's callback. */
  readonly offer: DeliveryCallback<T> = (batch, { attempt, signal }) =>
    new Promise<EventOutcomes | undefined>((settle, fail) => {
      const pulled = Object.assign(batch, { attempt, signal, settle, fail });
      for (const taker of this.#takers) {
        this.#answer(taker, pulled);
        return;
      }
      this.#offers.add(pulled);
      signal.addEventListener("abort", () => this.#offers.delete(pulled));
    });

  /** The bus is closed. */
  end(): void {
    this.#isEnded = true;
    for (const taker of this.#takers) this.#answer(taker, undefined);
  }

  pull(): AsyncIterator<PulledBatch<T>, undefined> {
    let held: PulledBatch<T> | undefined;
    let taker: Taker<T> = () => {};
    return {
      next: () =>
        new Promise((resolve) => {
          held?.settle();
          taker = (batch) => {
            held = batch;
            resolve(
              batch === undefined ? { done: true, value: batch } : { done: false, value: batch },
            );
          };
          this.#take(taker);
        }),
      return: async () => {
        // A stream that is made of the bus leaves while it waits, which `for await` cannot.
        if (this.#takers.has(taker)) this.#answer(taker, undefined);
        held?.fail(new DeliveryError("The loop over the batches was left", { unavailable: true }));
        return { done: true, value: undefined };
      },
    };
  }

  #take(taker: Taker<T>): void {
    for (const offer of this.#offers) {
      this.#offers.delete(offer);
      taker(offer);
      return;
    }
    if (this.#isEnded) taker(undefined);
    else {
      this.#takers.add(taker);
      this.#keepAlive();
    }
  }

  #answer(taker: Taker<T>, batch: PulledBatch<T> | undefined): void {
    this.#takers.delete(taker);
    this.#keepAlive();
    taker(batch);
  }

  /** Keeps the process alive while a loop waits, as the bus's own timers do not. */
  #keepAlive(): void {
    if (this.#takers.size > 0) this.#keepsAlive ??= setInterval(() => {}, TIMEOUT_MS);
    else {
      clearInterval(this.#keepsAlive);
      this.#keepsAlive = undefined;
    }
  }
}
