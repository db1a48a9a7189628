// @ts-check
// The numbers around the drawing, for everybody and for screen readers.

/** @param {ParentNode} root @param {string} name */
export const partOf = (root, name) =>
  /** @type {HTMLElement} */ (root.querySelector(`[data-part="${name}"]`));

export class Panel {
  #root;
  #counts;
  #check;
  #caption;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
    /** @type {HTMLElement[]} */
    this.#counts = [...root.querySelectorAll("[data-count]")].map((e) => /** @type {any} */ (e));
    this.#check = partOf(root, "check");
    this.#caption = partOf(root, "caption");
  }

  /** The line that adds up. @param {import("./ledger.js").Account} account */
  showBalance(account) {
    for (const element of this.#counts) {
      const name = /** @type {keyof typeof account} */ (element.dataset.count);
      element.textContent = account[name].toLocaleString("en");
    }
    this.#check.textContent = account.isBalanced ? "✓" : "✗";
    this.#check.ariaLabel = account.isBalanced ? "adds up" : "does not add up";
    this.#check.dataset.balanced = String(account.isBalanced);
    const hasOutbox = account.outbox > 0;
    partOf(this.#root, "outbox").hidden = !hasOutbox;
    partOf(this.#root, "outbox-sign").hidden = !hasOutbox;
  }

  /** @param {string} text */
  showCaption(text) {
    if (this.#caption.textContent !== text) this.#caption.textContent = text;
  }

  /** Reads changes of the caption out loud, or not. @param {boolean} isLive */
  announce(isLive) {
    this.#caption.ariaLive = isLive ? "polite" : "off";
  }

  /** @param {import("shardbus").BusStats | undefined} stats @param {import("./ledger.js").Account} account @param {import("./ghost.js").Ghost} ghost */
  showTables(stats, account, ghost) {
    const shards = stats?.shards ?? [];
    const rows = shards.map((shard) => [
      shard.id,
      shard.state,
      shard.pending,
      shard.inFlight,
      shard.evicted,
      shard.full + shard.sampled,
    ]);
    fill(partOf(this.#root, "shards"), rows);
    fill(partOf(this.#root, "both"), [
      [
        "shardbus",
        account.offered,
        account.delivered,
        account.waiting + account.inFlight + account.outbox,
        `${account.lost.toLocaleString("en")}, counted`,
      ],
      [
        "array + setInterval",
        ghost.offered,
        ghost.delivered,
        ghost.held + ghost.inFlight,
        `${ghost.lost.toLocaleString("en")}, uncounted`,
      ],
    ]);
  }
}

/** @param {HTMLElement} body @param {(string | number)[][]} rows */
function fill(body, rows) {
  body.replaceChildren(
    ...rows.map((cells) => {
      const row = document.createElement("tr");
      row.append(
        ...cells.map((cell, i) => {
          const element = document.createElement(i === 0 ? "th" : "td");
          if (i === 0) element.setAttribute("scope", "row");
          element.textContent = cell.toLocaleString("en");
          return element;
        }),
      );
      return row;
    }),
  );
}
