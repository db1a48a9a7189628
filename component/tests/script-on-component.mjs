// Runs a script on the component.
import { add, answer, counts, noAnswers } from "./script.mjs";

/** The nonce of the first host, as in `component/scripts`. Each later one has the next. */
const NONCE = 7n;

/** More than any script needs. */
const MOST_ACTIONS = 10_000;

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Options in WIT's units. @param {any} group @returns {any} */
function translated(group) {
  const translate = (/** @type {[string, any]} */ [name, value]) => {
    if (name.endsWith("Ms")) return [name.slice(0, -2), BigInt(value) * 1_000_000n];
    if (name === "backpressure") {
      return [
        name,
        typeof value === "string" ? { tag: value } : { tag: "sample", val: value.sample },
      ];
    }
    if (name === "retry") return [name, { tag: "within", val: translated(value) }];
    return [name, typeof value === "object" ? translated(value) : value];
  };
  return Object.fromEntries(Object.entries(group).map(translate));
}

class Host {
  now = 0n;
  actions = 0;
  nonce = NONCE;
  answers = noAnswers();

  /** @param {any} Bus @param {import("./script.mjs").Script} script */
  constructor(Bus, script) {
    this.Bus = Bus;
    this.script = script;
    this.options = { ...translated(script.options), scheduler: "manual" };
    this.bus = Bus.create(this.options, NONCE);
  }

  run() {
    for (const step of this.script.steps) {
      if (step === "flush") this.flush();
      else if ("kill" in step) {
        this.sendUntilKilled(step.kill);
        const copies = this.bus.stage(this.now);
        this.bus = this.Bus.create(this.options, ++this.nonce);
        this.restore(copies);
      } else if ("offer" in step) this.offer(step.offer);
      else this.drain(step.drain);
    }
    this.answers.counts = counts(this.bus.stats());
    return this.answers;
  }

  /** @param {[payload: string, key: string | null][]} events */
  offer(events) {
    for (const [payload, key] of events) {
      const bytes = key === null ? undefined : encoder.encode(key);
      let accepted = true;
      try {
        this.bus.ingest(encoder.encode(payload), bytes);
      } catch {
        accepted = false;
      }
      this.answers.accepted.push(accepted);
    }
  }

  /** @param {number} room */
  drain(room) {
    for (let batch = this.bus.drain(room); batch !== undefined; batch = this.bus.drain(room)) {
      this.answers.drained.push(decoder.decode(batch.body));
      room -= batch.body.length;
    }
  }

  flush() {
    const flush = this.bus.beginFlush();
    while (this.bus.flushReport(flush).pending > 0n) this.act();
    while (this.act());
    this.bus.endFlush(flush);
  }

  /** Sends so many attempts, of which the last has no answer. @param {number} attempts */
  sendUntilKilled(attempts) {
    this.bus.beginFlush();
    for (let begun = 0; begun < attempts; ) {
      const { tag, val } = this.bus.poll(this.now);
      if (tag === "send") {
        begun++;
        this.noteAttempt(val);
        if (begun < attempts) this.answer(val);
      } else if (tag === "wait-until") this.now = val;
      else throw new Error(`a host that will be killed has \`${tag}\``);
    }
  }

  /** @param {{ bytes: Uint8Array }[]} copies */
  restore(copies) {
    const flush = this.bus.beginFlush();
    this.bus.beginRestore();
    for (const { bytes } of copies) {
      while (!this.bus.wantsRestored()) this.act();
      this.bus.restore(bytes);
    }
    this.bus.endRestore();
    while (this.bus.isRestoring()) this.act();
    this.bus.endFlush(flush);
  }

  act() {
    if (this.actions++ > MOST_ACTIONS) throw new Error("the script does not end");
    const action = this.bus.poll(this.now);
    if (action.tag === "wait-until") this.now = action.val;
    else if (action.tag === "send") {
      this.noteAttempt(action.val);
      this.answer(action.val);
    } else if (action.tag === "abandoned") {
      const { reason, batch } = action.val;
      const entry = [Number(batch.head.sequence), reason, decoder.decode(batch.body)];
      add(this.answers.lost, batch.head.shard, entry);
    }
    return action.tag === "send" || action.tag === "abandoned";
  }

  /** @param {any} lease */
  noteAttempt({ attempt, batch: { head, body } }) {
    const host = Number(BigInt(`0x${head.id.split("-")[0]}`) - NONCE);
    const entry = [host, Number(head.sequence), attempt, decoder.decode(body)];
    add(this.answers.attempts, head.shard, entry);
  }

  /** @param {any} lease */
  answer({ id, attempt, batch }) {
    const [sequence, body] = [Number(batch.head.sequence), decoder.decode(batch.body)];
    const how = answer(this.script, sequence, attempt, body);
    const isLive =
      how === "delivered"
        ? this.bus.acknowledge(id, this.now)
        : how === "single"
          ? this.bus.settle(id, outcomes(batch), this.now)
          : this.bus.fail(id, failure(how), this.now);
    if (!isLive) throw new Error("the lease is live");
  }
}

const failure = (/** @type {string} */ tag) =>
  tag === "unavailable" || tag === "refused" ? { tag, val: 0n } : { tag };

/** Runs of equal outcomes. @param {any} batch */
function outcomes({ head, lengths, body }) {
  let start = head.format === "json" ? 1 : 0;
  /** @type {{ count: number, word: string | undefined }[]} */
  const runs = [];
  for (const length of lengths) {
    const event = decoder.decode(body.subarray(start, start + length));
    start += length + 1;
    const word = ["reject", "retry"].find((word) => event.includes(word));
    const last = runs.at(-1);
    if (last?.word === word && last !== undefined) last.count++;
    else runs.push({ count: 1, word });
  }
  const failures = { reject: failure("permanent"), retry: failure("refused") };
  return runs.map(({ count, word }) => ({ count, failure: failures[word] }));
}

/** The answers of the component. @param {any} Bus @param {import("./script.mjs").Script} script */
export const onComponent = (Bus, script) => new Host(Bus, script).run();
