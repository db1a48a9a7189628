// @ts-check
// The frame with the tab that produces events, and its end.

/**
 * @typedef {object} Host
 * @property {object} options the bus's
 * @property {boolean} hasStore
 * @property {boolean} isFirst
 * @property {(request: import("./receiver.js").Request, signal: any) => Promise<{ status: number, retryAfterS?: number }>} answer
 * @property {(drop: import("shardbus").Drop<any>) => void} onDrop
 * @property {(delivery: import("shardbus").Delivery<any>) => void} onDelivered
 * @property {(error: Error) => void} onStoreError
 * @property {(bus: import("shardbus").EventBus<any>) => void} onOpen
 * @property {(error: unknown) => void} onError
 */

/**
 * Opens a tab, and resolves with its bus.
 *
 * @param {HTMLElement} place
 * @param {string} url
 * @param {Omit<Host, "onOpen" | "onError">} host
 */
export async function openTab(place, url, host) {
  const frame = document.createElement("iframe");
  frame.title = "The tab that produces events";
  frame.hidden = true;
  frame.tabIndex = -1;
  let isGone = false;
  // WebKit lets promises of a document that is gone go on: its requests would reach nobody.
  /** @type {Host["answer"]} */
  const answer = (...request) => (isGone ? new Promise(() => {}) : host.answer(...request));
  /** @type {Promise<import("shardbus").EventBus<any>>} */
  const opened = new Promise((onOpen, onError) => {
    Object.assign(frame, { host: { ...host, answer, onOpen, onError } });
  });
  frame.src = url;
  place.append(frame);
  const bus = await opened;
  return {
    bus,
    /** Ends the tab as a browser does: the document hears of it, and is gone. */
    async close() {
      const left = new Promise((resolve) =>
        frame.addEventListener("load", resolve, { once: true }),
      );
      frame.contentWindow?.location.replace("about:blank");
      await left;
      isGone = true;
      frame.remove();
    },
    /** Takes the frame away, once its bus is closed. */
    remove: () => frame.remove(),
  };
}
