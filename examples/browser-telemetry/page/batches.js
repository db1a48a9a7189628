// @ts-check

/** The number of listed batches. */
const MOST = 8;

/** @typedef {import("shardbus").Batch} Batch */

/** Lists the latest batches, newest first, and how they fare. */
export class BatchList {
  #body = /** @type {HTMLElement} */ (document.querySelector("#batches"));
  /** By the batch's id. @type {Map<string, HTMLTableRowElement>} */
  #rows = new Map();

  /**
   * A callback that does the same, and shows it.
   *
   * @param {import("shardbus").DeliveryCallback} send
   * @returns {import("shardbus").DeliveryCallback}
   */
  watch(send) {
    return async (batch, context) => {
      const { attempt } = context;
      this.#show(batch, "in-flight", "sending", attempt);
      const start = performance.now();
      try {
        await send(batch, context);
      } catch (error) {
        this.#show(batch, "in-flight retry", "to be sent again", attempt);
        throw error;
      }
      const ms = Math.round(performance.now() - start).toLocaleString("en");
      this.#show(batch, "delivered", `delivered, ${ms} ms`, attempt);
    };
  }

  /** @param {Batch} batch */
  lost(batch) {
    this.#show(batch, "lost", "given up");
  }

  /** @param {Batch} batch @param {string} state @param {string} text @param {number} [attempt] */
  #show(batch, state, text, attempt) {
    const row = this.#rows.get(batch.id) ?? this.#add(batch);
    row.className = state;
    row.cells[4].textContent = text;
    if (attempt !== undefined) row.cells[3].textContent = String(attempt);
  }

  /** @param {Batch} batch */
  #add({ id, shard, sequence, count }) {
    const row = document.createElement("tr");
    for (const value of [shard, sequence, count, 1, ""]) {
      row.insertCell().textContent = value.toLocaleString("en");
    }
    this.#body.prepend(row);
    this.#rows.set(id, row);
    for (const old of [...this.#body.children].slice(MOST)) old.remove();
    for (const [id, row] of this.#rows) if (!row.isConnected) this.#rows.delete(id);
    return row;
  }
}
