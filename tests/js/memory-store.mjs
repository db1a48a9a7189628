// @ts-check
import { customStore } from "shardbus/stores/custom";

/**
 * A store for tests: its batches survive the bus, as on a disk, and each operation can be made to
 * fail or to hang.
 *
 * @typedef {"open" | "read" | "write" | "remove" | "setAside" | "close"} Operation
 */
export class MemoryStore {
  /** @type {Map<string, Uint8Array>} */
  batches = new Map();
  /** @type {Map<string, Uint8Array>} */
  asideBatches = new Map();
  /** The calls, in order: `write key`. @type {string[]} */
  log = [];
  /** The first step of each operation. @type {Partial<Record<Operation, () => Promise<void>>>} */
  faults = {};

  constructor() {
    customStore(this);
  }

  /** @param {Operation} operation @param {string} [key] */
  async #note(operation, key = "") {
    this.log.push(`${operation} ${key}`.trim());
    await this.faults[operation]?.();
  }

  async open() {
    await this.#note("open");
    return [...this.batches.keys()].reverse();
  }

  /** @param {string} key */
  async read(key) {
    await this.#note("read", key);
    return this.batches.get(key);
  }

  /** @param {string} key @param {Uint8Array} bytes */
  async write(key, bytes) {
    await this.#note("write", key);
    this.batches.set(key, bytes);
  }

  /** @param {string} key @param {Uint8Array} bytes */
  writeSync(key, bytes) {
    this.batches.set(key, bytes);
  }

  /** @param {string} key */
  async remove(key) {
    await this.#note("remove", key);
    this.batches.delete(key);
  }

  /** @param {string} key */
  async setAside(key) {
    await this.#note("setAside", key);
    const bytes = this.batches.get(key);
    if (bytes !== undefined) this.asideBatches.set(key, bytes);
    this.batches.delete(key);
  }

  async close() {
    await this.#note("close");
  }

  /** The names of the called operations, in order. @returns {string[]} */
  get operations() {
    return this.log.map((line) => /** @type {string} */ (line.split(" ")[0]));
  }
}

/** A fault: the operation fails. */
export const failing = async () => {
  throw new Error("the disk is full");
};

/** A fault: the operation hangs. */
export const hanging = () => new Promise(() => {});
