import type { CoreBatch } from "./batch.js";
import type { Drop, DropReason } from "./options.js";
import type { BusStats } from "./stats.js";
import type { CoreBus } from "./wasm.js";

type Counts = Partial<Record<DropReason, number>>;

/** Tells the user of losses; without a handler, warns once. */
export class LossReporter<T> {
  readonly #core: CoreBus;
  readonly #onDrop: ((drop: Drop<T>) => void) | undefined;
  #reportedTotal = 0;
  #reported: Counts = {};
  #warned = false;

  constructor(core: CoreBus, onDrop: ((drop: Drop<T>) => void) | undefined) {
    this.#core = core;
    this.#onDrop = onDrop;
  }

  /** A batch was given up. */
  abandoned(reason: "retries" | "permanent" | "shutdown", batch: CoreBatch<T>): void {
    this.#tell({ reason, count: batch.count, batch });
  }

  /** Tells of what was refused or evicted since the last report. */
  report(): void {
    const total = this.#core.lost();
    if (total === this.#reportedTotal) return;
    this.#reportedTotal = total;
    const { rejected, evicted } = this.#core.stats() as BusStats;
    const counts: Counts = { ...rejected, evicted };
    const reported = this.#reported;
    // Before anybody is told: a handler may lose events itself, and have them reported.
    this.#reported = counts;
    for (const [reason, count] of Object.entries(counts) as [DropReason, number][]) {
      const news = count - (reported[reason] ?? 0);
      if (news > 0) this.#tell({ reason, count: news });
    }
  }

  #tell(drop: Drop<T>): void {
    if (this.#onDrop === undefined) {
      if (this.#warned) return;
      this.#warned = true;
      console.warn(
        `shardbus: events were lost (${drop.count} ${drop.reason}). This is the only warning: pass \`onDrop\` to hear of every loss, or see \`bus.stats()\``,
      );
      return;
    }
    this.#call(drop).catch((error) => {
      console.error("shardbus: the `onDrop` handler threw", error);
    });
  }

  /** Async, so that a handler that throws is one that rejects. */
  async #call(drop: Drop<T>): Promise<void> {
    await this.#onDrop?.(drop);
  }
}
