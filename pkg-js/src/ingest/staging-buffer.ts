import type { CoreBus } from "../core/core-bus.js";
import { assertAlive, assertRoom, type CoreExports, misuse, row } from "../core/module.js";
import { joinHalves } from "../core/numbers.js";
import { NO_MEMORY, type Scratch, sharedScratch } from "../core/scratch.js";
import type { Leeway, Scheduler } from "../delivery/scheduler.js";
import { Refusal } from "../generated/layout.js";

/** Events that cross into wasm in one go, at most. */
const MAX_STAGED = 64;

/** Characters that cross in one go, at most: they fit into the scratch as ASCII. */
const MAX_STAGED_CHARS = 32 << 10;

/**
 * The result of {@linkcode StagingBuffer.offer} for an event that waits to cross: it is accepted.
 */
export const STAGED = 65_536;

/** Texts, one after another. */
interface Texts {
  readonly text: string;
  /** The number of characters of each. */
  readonly lengths: Uint32Array;
}

/** Serialised events, one after another. */
export interface EventRun extends Texts {
  /** The number of other characters before each. */
  readonly gap: number;
  readonly count: number;
  /** True if they stand as in an array of JSON: the character before each is not their separator. */
  readonly isArray?: boolean;
  /** As many, if they have any. */
  readonly keys?: Texts | undefined;
}

/**
 * Brings serialised events into the core.
 *
 * A crossing into wasm costs more than a short event, so events are staged as strings and cross
 * together. Two invariants hide this from users: an event is staged only while every shard has room
 * for all staged events, so that its acceptance is certain whatever its hash; and staged events
 * cross, in order, before any other call reads or changes the bus.
 *
 * They stay over the end of a turn if the core would only wait after them as it does now: see
 * `EventBus::leeway` of the core. Only those of one millisecond are together, as they have their
 * timestamps from the end of their turn.
 */
export class StagingBuffer {
  readonly #core: CoreBus;
  /** These three are there once the core has made the bus. */
  #scratch!: Scratch;
  #raw!: CoreExports;
  #handle = -1;
  readonly #maxEventBytes: number;
  readonly #maxKeyBytes: number;
  readonly #scheduler: Pick<Scheduler, "scheduleStaged">;
  /** The separator of two events in a body. */
  readonly #separator: string;
  /** The staged events, after an empty text, as a separator comes before each; and their lengths. */
  #texts = [""];
  readonly #lengths = new Uint32Array(MAX_STAGED);
  #chars = 0;
  /** Their keys, in the same way, if they have any: either all of them do, or none. */
  #keyText = "";
  readonly #keyLengths = new Uint32Array(MAX_STAGED);
  #isKeyed = false;
  #staged = 0;
  /** The first of them, which are of earlier turns, and the time at the end of those. */
  #kept = 0;
  #keptAt = 0;
  /** The leeway, less the events staged since. */
  #leewayEvents = -1;
  #leewayBytes = 0;
  /** The core's guaranteed capacity, less the staged events. */
  #guaranteedEvents = 0;
  #guaranteedBytes = 0;
  /**
   * The scratch's `looks` at this bus's last one: another bus may have taken memory since. None before
   * there is a scratch.
   */
  #lookedAt: number | undefined;

  /** The scheduler is told of each staged event. */
  constructor(
    core: CoreBus,
    format: "ndjson" | "json",
    scheduler: Pick<Scheduler, "scheduleStaged">,
  ) {
    this.#core = core;
    this.#separator = format === "json" ? "," : "\n";
    this.#scheduler = scheduler;
    const { beginning } = core;
    this.#maxEventBytes = beginning?.maxEventBytes ?? core.maxEventBytes();
    this.#maxKeyBytes = beginning?.maxKeyBytes ?? core.maxKeyBytes();
    if (beginning === undefined) this.look();
    else {
      this.#guaranteedEvents = beginning.events;
      this.#guaranteedBytes = beginning.bytes;
      this.setLeeway(beginning);
    }
  }

  /** Has the core make the bus, unless that is done. */
  #open(): void {
    if (this.#handle >= 0) return;
    this.#handle = this.#core.handle();
    this.#scratch = sharedScratch();
    this.#raw = this.#scratch.raw;
  }

  /** Offers one line of JSON. Returns {@linkcode STAGED}, or what {@linkcode push} returns. */
  offer(text: string, key: string | undefined): number {
    assertAlive();
    // UTF-8 has at most three bytes for one UTF-16 unit.
    const bytes = text.length * 3;
    if (this.#staged === 0 && this.#scratch?.looks !== this.#lookedAt) {
      assertRoom();
      this.look();
    }
    if (!this.#fits(text, key, bytes)) {
      this.cross();
      if (!this.#fits(text, key, bytes)) return this.push(text, key);
    }
    this.#scheduler.scheduleStaged();
    if (this.#staged === 0) this.#isKeyed = key !== undefined;
    this.#texts.push(text);
    this.#chars += text.length + 1;
    this.#lengths[this.#staged] = text.length;
    if (key !== undefined) {
      this.#keyText += key;
      this.#keyLengths[this.#staged] = key.length;
    }
    this.#staged++;
    this.#guaranteedEvents--;
    this.#guaranteedBytes -= bytes;
    this.#leewayEvents--;
    this.#leewayBytes -= bytes + 1;
    return STAGED;
  }

  #fits(text: string, key: string | undefined, bytes: number): boolean {
    const keyChars = key?.length ?? 0;
    const chars = this.#chars + text.length + 1 + this.#keyText.length + keyChars;
    return (
      keyChars * 3 <= this.#maxKeyBytes &&
      this.#guaranteedEvents > 0 &&
      bytes <= this.#guaranteedBytes &&
      bytes <= this.#maxEventBytes &&
      chars <= MAX_STAGED_CHARS &&
      this.#staged < MAX_STAGED &&
      (this.#staged === 0 || this.#isKeyed === (key !== undefined))
    );
  }

  /** Sets the leeway, which a poll has just found. */
  setLeeway({ events, bytes }: Leeway): void {
    // Events that are staged by now came after the poll.
    this.#leewayEvents = this.#staged === 0 ? events : -1;
    this.#leewayBytes = bytes;
  }

  /**
   * Keeps the staged events over the end of a turn, at this time by the wall clock. Returns whether
   * the leeway covers them; if not, nothing has changed.
   */
  keep(now: number): boolean {
    if (this.#leewayEvents < 0 || this.#leewayBytes < 0) return false;
    const isOfThisTime = this.#kept === 0 || this.#keptAt === now;
    // Another bus may have taken memory since this one looked.
    if (!isOfThisTime || this.#scratch?.looks !== this.#lookedAt) this.#cross(now);
    this.#kept = this.#staged;
    this.#keptAt = now;
    return true;
  }

  /** Brings in the staged events. */
  cross(): void {
    if (this.#staged > 0) this.#cross(Date.now());
  }

  #cross(now: number): void {
    const count = this.#staged;
    if (count === 0) return;
    assertRoom();
    const kept = this.#keptAt === now ? 0 : this.#kept;
    const texts = this.#texts;
    const keyText = this.#isKeyed ? this.#keyText : undefined;
    this.#texts = [""];
    this.#chars = 0;
    this.#keyText = "";
    this.#staged = 0;
    this.#kept = 0;
    // All are accepted, unless other buses have used up the memory since: then the core has counted
    // the refused ones as `full`.
    if (kept === 0) this.#crossRange(texts, keyText, 0, count, now);
    else {
      const later = texts.splice(kept + 1);
      const keyChars = this.#keyLengths.subarray(0, kept).reduce((sum, length) => sum + length, 0);
      this.#crossRange(texts, keyText?.slice(0, keyChars), 0, kept, this.#keptAt);
      if (later.length > 0) {
        this.#crossRange(["", ...later], keyText?.slice(keyChars), kept, count, now);
      }
    }
  }

  /** Brings in those staged events, with this timestamp. */
  #crossRange(
    texts: readonly string[],
    keyText: string | undefined,
    start: number,
    end: number,
    time: number,
  ): void {
    const range = (lengths: Uint32Array) => (start === 0 ? lengths : lengths.subarray(start, end));
    const keys =
      keyText === undefined ? undefined : { text: keyText, lengths: range(this.#keyLengths) };
    const text = texts.join(this.#separator);
    this.#pushMany({ text, gap: 1, lengths: range(this.#lengths), count: end - start, keys }, time);
  }

  /** Offers events, now. Returns how many were accepted. Staged events must have crossed. */
  pushMany(events: EventRun): number {
    assertRoom();
    return this.#pushMany(events, Date.now());
  }

  #pushMany(events: EventRun, time: number): number {
    this.#open();
    this.#raw.set_clock(this.#handle, time);
    return this.#afterPush(this.#commitMany(events) ?? this.#commitOneByOne(events));
  }

  /** Returns how many were accepted; `undefined`, with nothing done, if this way is not open. */
  #commitMany({ text, gap, lengths, count, isArray, keys }: EventRun): number | undefined {
    // Lengths in characters are lengths in bytes only in ASCII.
    if (!this.#scratch.writeAscii(text, 0)) return undefined;
    if (isArray) this.#scratch.writeBeforeEach(lengths, count, this.#separator.charCodeAt(0));
    if (keys !== undefined && !this.#scratch.writeAscii(keys.text, text.length)) return undefined;
    const table = this.#scratch.lengths();
    table.set(lengths);
    if (keys !== undefined) table.set(keys.lengths, count);
    const accepted = this.#raw.push_many(this.#handle, count, gap, keys === undefined ? 0 : 1);
    if (accepted < 0) throw misuse(accepted);
    return accepted;
  }

  #commitOneByOne({ text, gap, lengths, count, keys }: EventRun): number {
    let accepted = 0;
    let end = 0;
    let keyEnd = 0;
    for (let i = 0; i < count; i++) {
      const [start, keyStart] = [end + gap, keyEnd];
      end = start + (lengths[i] as number);
      keyEnd += keys?.lengths[i] ?? 0;
      const key = keys?.text.slice(keyStart, keyEnd);
      if (this.#push(text.slice(start, end), key, 1) >= 0) accepted++;
    }
    return accepted;
  }

  /**
   * Offers one line of JSON, now. Returns its shard, or a {@linkcode Refusal}. Staged events must
   * have crossed.
   */
  push(text: string, key: string | undefined): number {
    this.#beginPush();
    return this.#afterPush(this.#push(text, key, 1));
  }

  /** {@linkcode push} for text that the core must look into. */
  pushUnchecked(text: string, key: string | undefined): number {
    this.#beginPush();
    return this.#afterPush(this.#push(text, key, 0));
  }

  /** {@linkcode push} for bytes that the core must look into. */
  pushBytes(bytes: Uint8Array, key: string | undefined): number {
    this.#beginPush();
    const length = this.#scratch.writeBytes(bytes, this.#maxEventBytes);
    return this.#afterPush(this.#pushWritten(length, key, 0));
  }

  /**
   * The shard that an event with this key goes to now, or one with exactly these bytes and no key.
   * Returns a {@linkcode Refusal} if they are too many.
   */
  shardFor(keyOrBytes: string | Uint8Array): number {
    assertRoom();
    this.#open();
    const isKey = typeof keyOrBytes === "string";
    const length = isKey
      ? this.#scratch.writeText(keyOrBytes, 0, this.#maxKeyBytes)
      : this.#scratch.writeBytes(keyOrBytes, this.#maxEventBytes);
    if (length === NO_MEMORY) return Refusal.full;
    if (length < 0) return isKey ? Refusal.keyTooLong : Refusal.oversize;
    return this.#raw.shard_for(this.#handle, length);
  }

  /** The time at which the last pushed event was accepted: nanoseconds since the Unix epoch. */
  lastTimestamp(): bigint {
    const numbers = row(this.#raw.last_timestamp());
    return joinHalves(numbers[0], numbers[1]);
  }

  #push(text: string, key: string | undefined, line: 0 | 1): number {
    const length = this.#scratch.writeText(text, 0, this.#maxEventBytes);
    return this.#pushWritten(length, key, line);
  }

  /** Offers the event in the scratch, or refuses one that could not be written there. */
  #pushWritten(length: number, key: string | undefined, line: 0 | 1): number {
    if (length < 0) return this.#refuse(length, Refusal.oversize);
    let keyLength = -1;
    if (key !== undefined) {
      keyLength = this.#scratch.writeText(key, length, this.#maxKeyBytes);
      if (keyLength < 0) return this.#refuse(keyLength, Refusal.keyTooLong);
    }
    const code = this.#raw.push(this.#handle, length, keyLength, line);
    if (code === Refusal.misused) throw misuse(code);
    return code;
  }

  /** Counts an event that could not be written. */
  #refuse(why: number, tooLong: number): number {
    if (why === NO_MEMORY) {
      this.#core.refuseFull();
      return Refusal.full;
    }
    this.#core.refuseOversize();
    return tooLong;
  }

  #beginPush(): void {
    assertRoom();
    this.#open();
    this.#raw.set_clock(this.#handle, Date.now());
  }

  #afterPush(code: number): number {
    this.look();
    return code;
  }

  /** Reads the core's guaranteed capacity anew. Nothing may be staged. */
  look(): void {
    this.#open();
    this.#lookedAt = ++this.#scratch.looks;
    this.#guaranteedEvents = this.#raw.room_events(this.#handle) >>> 0;
    this.#guaranteedBytes = this.#raw.room_bytes(this.#handle) >>> 0;
  }
}
