/** The listener of a page's coming and going. */
export interface LifecycleHost {
  /** The page may be about to go: this may be the last moment in which anything can be sent. */
  onHidden(): void;
  /** The page is there again; its timers may have stood still meanwhile. */
  onVisible(): void;
  /** The network is there again. */
  onOnline(): void;
}

/**
 * Tells a bus when its page is left, when it is back, and when it is online again. Never by
 * `unload`: it often does not come, and listening to it keeps a page out of the back/forward cache.
 */
export class PageLifecycle {
  readonly #host: LifecycleHost;

  constructor(host: LifecycleHost) {
    this.#host = host;
    // On the window: listeners on the document come first, and the events that they ingest go
    // along.
    addEventListener("visibilitychange", this.#onVisibilityChange);
    addEventListener("pagehide", this.#onPageHide);
    addEventListener("pageshow", this.#onPageShow);
    addEventListener("online", this.#onOnline);
  }

  stop(): void {
    removeEventListener("visibilitychange", this.#onVisibilityChange);
    removeEventListener("pagehide", this.#onPageHide);
    removeEventListener("pageshow", this.#onPageShow);
    removeEventListener("online", this.#onOnline);
  }

  readonly #onVisibilityChange = (): void => {
    if (document.visibilityState === "hidden") this.#host.onHidden();
    else this.#host.onVisible();
  };

  readonly #onPageHide = (): void => this.#host.onHidden();

  readonly #onPageShow = (): void => this.#host.onVisible();

  readonly #onOnline = (): void => this.#host.onOnline();
}
