import { InvalidOptionError } from "../errors/invalid-option-error.js";
import { Calls } from "../generated/calls.js";
import { MEMORY_RULE, Place, RECORD_WORDS, RestoreRefusal } from "../generated/layout.js";
import { Beginning, canBegin } from "./beginning.js";
import { canLoadLater, copyLeft, coreExports, handIn, isDead, orFail } from "./module.js";

// Nobody could catch an error of a finaliser. Not every Worker has finalisers.
const freeLater =
  typeof FinalizationRegistry === "function"
    ? /* @__PURE__ */ new FinalizationRegistry((handle: number) => {
        if (!isDead()) coreExports().free(handle);
      })
    : undefined;

/** The core of one bus. */
export class CoreBus extends Calls {
  #handle = -1;
  /** The bus's state until the core has made it, which takes longest for the first one. */
  #beginning: Beginning | undefined;
  /** True once there may be events that are not one JSON text: raw ones, or some of earlier runs. */
  mayHaveRaw = false;

  /**
   * Takes the numbers of all options. Throws if the core cannot be loaded, or there is no memory for
   * so many shards.
   */
  constructor(options: Float64Array) {
    super();
    if (canBegin(options) && canLoadLater()) this.#beginning = new Beginning(options);
    else this.#create(options);
  }

  #create(options: Float64Array): void {
    const { create } = coreExports();
    handIn(new Uint8Array(options.buffer));
    this.#handle = create();
    if (this.#handle < 0) {
      const [place, option, rule] = MEMORY_RULE;
      throw new InvalidOptionError(option, `\`${option}\` is ${options[place]}, but it ${rule}`);
    }
    freeLater?.register(this, this.#handle, this);
    this.#beginning = undefined;
    // Only the scheduler "auto" has a task from the start.
    if (options[Place.scheduler] === 0) this.beginTask();
  }

  /** The state of a bus that the core has not made yet. */
  get beginning(): Beginning | undefined {
    return this.#beginning;
  }

  /** Names the bus on the event path. The core makes it if need be. */
  handle(): number {
    if (this.#beginning !== undefined) {
      const { options } = this.#beginning;
      orFail(() => this.#create(options));
    }
    return this.#handle;
  }

  /** Frees its memory. Later calls do nothing. */
  free(): void {
    freeLater?.unregister(this);
    coreExports().free(this.#handle);
    // None: the handle may become another bus's.
    this.#handle = -1;
  }

  /** As `settleIncoming`, with its argument handed in. */
  settle(lease: number, outcomes: Float64Array, retryAfterMs: number, nowMs: number): boolean {
    const { buffer, byteOffset, byteLength } = outcomes;
    // A lease without an answer expires, and its batch is sent again.
    if (!handIn(new Uint8Array(buffer, byteOffset, byteLength))) return false;
    return this.settleIncoming(lease, retryAfterMs, nowMs);
  }

  /** As `restoreIncoming`, with its argument handed in. */
  restore(bytes: Uint8Array): number {
    return this.#handInBatch(bytes) ?? this.restoreIncoming();
  }

  /** As `loadIncoming`, with its argument handed in. */
  load(bytes: Uint8Array): number {
    return this.#handInBatch(bytes) ?? this.loadIncoming();
  }

  /** Hands in a batch of the store; returns why it cannot, if it cannot. */
  #handInBatch(bytes: Uint8Array): number | undefined {
    // The limit of a core that is gone is 0.
    if (this.#handle < 0) return RestoreRefusal.NotNow;
    if (bytes.length > this.maxRestoredBytes()) return RestoreRefusal.TooLarge;
    this.mayHaveRaw = true;
    return handIn(bytes) ? undefined : RestoreRefusal.NoMemory;
  }

  /** A copy of the body of the batch that was handed out last. */
  copyBody(): Uint8Array<ArrayBuffer> {
    this.batchBody();
    return copyLeft();
  }

  /** The length of each of its events in bytes. In the body, one byte is between two. */
  copyLens(): Uint32Array {
    this.batchRecords();
    const words = new Uint32Array(copyLeft().buffer);
    const lens = new Uint32Array(words.length / RECORD_WORDS);
    for (let i = 0; i < lens.length; i++) lens[i] = words[i * RECORD_WORDS] as number;
    return lens;
  }

  /** The batch as bytes for a store; none, if there is no memory for them. */
  encode(): Uint8Array<ArrayBuffer> {
    this.batchEncode();
    const bytes = copyLeft();
    // Lets go of the core's own.
    handIn(new Uint8Array(0));
    return bytes;
  }
}
