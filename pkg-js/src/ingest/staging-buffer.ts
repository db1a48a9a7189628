import type { CoreBus } from "../core/core-bus.js";
import { assertAlive, assertRoom, type CoreExports, misuse, row } from "../core/module.js";
import { joinHalves } from "../core/numbers.js";
import { NO_MEMORY, type Scratch, sharedScratch } from "../core/scratch.js";
import type { Leeway, Scheduler } from "../delivery/scheduler.js";
import { Refusal } from "../generated/layout.js";
import { byteLength } from "../util/is-bytes.js";
import { LineBuffer } from "./line-buffer.js";

/** Events that cross into wasm in one go, at most. */
const MAX_STAGED = 256;

/** Characters, or bytes, that cross in one go, at most: they fit into the scratch as ASCII. */
const MAX_STAGED_CHARS = 32 << 10;

/**
 * The result of {@linkcode StagingBuffer.offer} for an event that waits to cross: it is accepted.
 */
export const STAGED = 65_536;

/** Texts, one after another; bytes, where each character is to be one. */
interface Texts<T extends string | Uint8Array> {
  readonly text: T;
  /** The number of characters of each. */
  readonly lengths: Uint32Array;
}

/** Serialised events, one after another. */
export interface EventRun extends Texts<string | Uint8Array> {
  /** The number of other characters before each. */
  readonly gap: number;
  readonly count: number;
  /** True if they stand as in an array of JSON: the character before each is not their separator. */
  readonly isArray?: boolean;
  /** As many, if they have any. */
  readonly keys?: Texts<string> | undefined;
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
  /** They are here, a separator before each, if they came as bytes: either all of them did, or none. */
  readonly #bytes: LineBuffer;
  #isBytes = false;
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
    this.#bytes = new LineBuffer(MAX_STAGED_CHARS, this.#separator.charCodeAt(0));
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

  /** True once the core has made the bus. */
  get isOpen(): boolean {
    return this.#handle >= 0;
  }

  /** Has the core make the bus, unless that is done. */
  #open(): void {
    if (this.isOpen) return;
    this.#handle = this.#core.handle();
    this.#scratch = sharedScratch();
    this.#raw = this.#scratch.raw;
  }

  /** Offers one line of JSON. Returns {@linkcode STAGED}, or what {@linkcode push} returns. */
  offer(text: string, key: string | undefined): number {
    // UTF-8 has at most three bytes for one UTF-16 unit.
    const bytes = text.length * 3;
    if (!this.#makeRoom(text.length, bytes, key, false)) return this.push(text, key);
    this.#scheduler.scheduleStaged();
    this.#texts.push(text);
    this.#stage(text.length, bytes, key, false);
    return STAGED;
  }

  /** {@linkcode offer} for bytes that must be looked into. */
  offerBytes(bytes: Uint8Array, key: string | undefined): number {
    const length = byteLength(bytes);
    if (length === 0 || !this.#makeRoom(length, length, key, true)) {
      this.cross();
      return this.pushBytes(bytes, key);
    }
    if (!this.#bytes.write(bytes, length, this.#chars)) {
      this.cross();
      return this.pushBytes(bytes, key);
    }
    this.#scheduler.scheduleStaged();
    this.#stage(length, length, key, true);
    return STAGED;
  }

  /** Tells whether the core is sure to have slots for so many more events. */
  hasSlots(events: number): boolean {
    assertAlive();
    return events <= this.#guaranteedEvents;
  }

  /** Has staged events cross if another has no room beside them. Returns whether it has room then. */
  #makeRoom(chars: number, bytes: number, key: string | undefined, isBytes: boolean): boolean {
    assertAlive();
    if (this.#staged === 0 && this.#scratch?.looks !== this.#lookedAt) {
      assertRoom();
      this.look();
    }
    if (this.#fits(chars, bytes, key, isBytes)) return true;
    this.cross();
    return this.#fits(chars, bytes, key, isBytes);
  }

  #fits(length: number, bytes: number, key: string | undefined, isBytes: boolean): boolean {
    const keyChars = key?.length ?? 0;
    const chars = this.#chars + length + 1 + this.#keyText.length + keyChars;
    return (
      keyChars * 3 <= this.#maxKeyBytes &&
      this.#guaranteedEvents > 0 &&
      bytes <= this.#guaranteedBytes &&
      bytes <= this.#maxEventBytes &&
      chars <= MAX_STAGED_CHARS &&
      this.#staged < MAX_STAGED &&
      (this.#staged === 0 || (this.#isKeyed === (key !== undefined) && this.#isBytes === isBytes))
    );
  }

  #stage(chars: number, bytes: number, key: string | undefined, isBytes: boolean): void {
    if (this.#staged === 0) {
      this.#isKeyed = key !== undefined;
      this.#isBytes = isBytes;
    }
    this.#chars += chars + 1;
    this.#lengths[this.#staged] = chars;
    if (key !== undefined) {
      this.#keyText += key;
      this.#keyLengths[this.#staged] = key.length;
    }
    this.#staged++;
    this.#guaranteedEvents--;
    this.#guaranteedBytes -= bytes;
    this.#leewayEvents--;
    this.#leewayBytes -= bytes + 1;
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
    // First: it may throw at the end of the stack.
    this.#open();
    const kept = this.#keptAt === now ? 0 : this.#kept;
    const texts = this.#texts;
    const text = this.#isBytes ? this.#bytes.first(this.#chars) : texts.join(this.#separator);
    const keyText = this.#isKeyed ? this.#keyText : undefined;
    if (!this.#isBytes) this.#texts = [""];
    this.#chars = 0;
    this.#keyText = "";
    this.#staged = 0;
    this.#kept = 0;
    // All are accepted, unless other buses have used up the memory since: then the core has counted
    // the refused ones as `full`.
    if (kept === 0) this.#crossRange(text, keyText, 0, count, now);
    else {
      const total = (lengths: Uint32Array) =>
        lengths.subarray(0, kept).reduce((sum, length) => sum + length, 0);
      const chars = total(this.#lengths) + kept;
      const keyChars = total(this.#keyLengths);
      this.#crossRange(text.slice(0, chars), keyText?.slice(0, keyChars), 0, kept, this.#keptAt);
      if (kept < count) {
        this.#crossRange(text.slice(chars), keyText?.slice(keyChars), kept, count, now);
      }
    }
  }

  /** Brings in those staged events, with this timestamp. */
  #crossRange(
    text: string | Uint8Array,
    keyText: string | undefined,
    start: number,
    end: number,
    time: number,
  ): void {
    const range = (lengths: Uint32Array) => (start === 0 ? lengths : lengths.subarray(start, end));
    const keys =
      keyText === undefined ? undefined : { text: keyText, lengths: range(this.#keyLengths) };
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
    if (!this.#scratch.writeNarrow(text, 0)) return undefined;
    if (isArray) this.#scratch.writeBeforeEach(lengths, count, this.#separator.charCodeAt(0));
    if (keys !== undefined && !this.#scratch.writeNarrow(keys.text, text.length)) return undefined;
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
    return this.#afterPush(this.#push(bytes, key, 0));
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

  #push(text: string | Uint8Array, key: string | undefined, line: 0 | 1): number {
    const length =
      typeof text === "string"
        ? this.#scratch.writeText(text, 0, this.#maxEventBytes)
        : this.#scratch.writeBytes(text, this.#maxEventBytes);
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
