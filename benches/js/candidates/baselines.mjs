// Buffers written by hand.

const encoder = new TextEncoder();
const newline = 10;

/** Awaits the started sends, whenever asked. */
class Sends {
  #all = Promise.resolve();
  add(send) {
    this.#all = Promise.all([this.#all, send]);
  }
  settled() {
    return this.#all;
  }
}

/** Collects in an array, and sends it as `encode` makes bytes of it. */
function arrayOf(prepare, encode) {
  return ({ batchSize, deliver }) => {
    const sends = new Sends();
    let waiting = [];
    const flush = () => {
      const batch = waiting;
      waiting = [];
      if (batch.length > 0) sends.add(deliver(encode(batch)));
    };
    return {
      push(event) {
        waiting.push(prepare(event));
        if (waiting.length >= batchSize) flush();
      },
      async finish() {
        flush();
        await sends.settled();
      },
    };
  };
}

const asIs = (event) => event;
const asJsonArray = (events) => encoder.encode(JSON.stringify(events));
const asLines = (texts) => encoder.encode(texts.join("\n"));

function concatenation({ batchSize, deliver }) {
  const sends = new Sends();
  let text = "";
  let count = 0;
  const flush = () => {
    if (count > 0) sends.add(deliver(encoder.encode(text)));
    text = "";
    count = 0;
  };
  return {
    push(event) {
      text += count === 0 ? JSON.stringify(event) : `\n${JSON.stringify(event)}`;
      if (++count >= batchSize) flush();
    },
    async finish() {
      flush();
      await sends.settled();
    },
  };
}

/**
 * A bus with objects in place of bytes: shards by key, a bounded ring each that drops its oldest,
 * timestamps that increase, one batch in flight per shard.
 */
class ObjectShard {
  #ring;
  #head = 0;
  #tail = 0;
  #timestamp = 0;
  #sending = Promise.resolve();
  #isSending = false;
  dropped = 0;

  constructor(capacity, batchSize, deliver) {
    this.#ring = new Array(capacity);
    this.batchSize = batchSize;
    this.deliver = deliver;
  }

  get length() {
    return this.#tail - this.#head;
  }

  push(event) {
    const mask = this.#ring.length - 1;
    if (this.length === this.#ring.length) {
      this.#head++;
      this.dropped++;
    }
    this.#timestamp = Math.max(event.ts, this.#timestamp + 1);
    this.#ring[this.#tail++ & mask] = event;
    if (this.length >= this.batchSize && !this.#isSending) this.#sending = this.#send(false);
  }

  #take() {
    const mask = this.#ring.length - 1;
    const batch = new Array(Math.min(this.batchSize, this.length));
    for (let i = 0; i < batch.length; i++) {
      const slot = this.#head++ & mask;
      batch[i] = this.#ring[slot];
      this.#ring[slot] = undefined;
    }
    return batch;
  }

  async #send(all) {
    this.#isSending = true;
    while (this.length >= (all ? 1 : this.batchSize)) await this.deliver(asJsonArray(this.#take()));
    this.#isSending = false;
  }

  async finish() {
    await this.#sending;
    await this.#send(true);
  }
}

const SHARDS = 8;

/** FNV-1a. */
function hash(key) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

function shardedRings({ batchSize, deliver }) {
  const shards = Array.from({ length: SHARDS }, () => new ObjectShard(65_536, batchSize, deliver));
  return {
    push(event) {
      shards[hash(event.user) % SHARDS].push(event);
    },
    async finish() {
      await Promise.all(shards.map((shard) => shard.finish()));
      const dropped = shards.reduce((sum, shard) => sum + shard.dropped, 0);
      if (dropped > 0) throw new Error(`${dropped} events were dropped`);
    },
  };
}

/** Bytes that are JSON already, one array per event, put together by hand. */
function bytesPerEvent({ batchSize, deliver }) {
  return arrayOf(asIs, (batch) => {
    const body = new Uint8Array(batch.reduce((sum, bytes) => sum + bytes.length + 1, -1));
    let at = 0;
    for (const bytes of batch) {
      if (at > 0) body[at++] = newline;
      body.set(bytes, at);
      at += bytes.length;
    }
    return body;
  })({ batchSize, deliver });
}

const object = { group: "baseline", input: "object" };

export const baselines = {
  "js-array-stringify": {
    ...object,
    about: "array of objects, stringified at once",
    create: arrayOf(asIs, asJsonArray),
  },
  "js-ndjson-strings": {
    ...object,
    about: "array of strings, joined",
    create: arrayOf(JSON.stringify, asLines),
  },
  "js-ndjson-concat": { ...object, about: "one growing string", create: concatenation },
  "js-sharded-bounded": {
    ...object,
    about: "bounded rings of objects by key",
    create: shardedRings,
  },
  "js-raw-strings": {
    group: "baseline",
    input: "text",
    about: "array of JSON texts, joined",
    create: arrayOf(asIs, asLines),
  },
  "js-raw-bytes": {
    group: "baseline",
    input: "bytes",
    about: "array of Uint8Arrays, copied together",
    create: bytesPerEvent,
  },
};
