// @ts-check
// Puts the demo into an element, and starts it.
import { captionOf } from "./captions.js";
import { codeOf } from "./code.js";
import { drawBackdrop, drawMoving, layOut, readColours } from "./drawing.js";
import { Pixels } from "./drawing-pixels.js";
import markup from "./markup.html";
import { Panel, partOf } from "./panel.js";
import { Tour } from "./tour.js";
import { World } from "./world.js";

/** Milliseconds between two updates of the sum and of the backdrop, which nobody reads faster. */
const SUM_MS = 80;
/** Milliseconds between two updates of texts and tables, and of a drawing that does not move. */
const SLOW_MS = 500;

/**
 * @param {HTMLElement} element
 * @param {string} tabUrl the address of tab.html
 */
export function mount(element, tabUrl) {
  element.innerHTML = markup;
  const contexts = [...element.querySelectorAll("canvas")].map(
    (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")),
  );
  const [backdrop, front] = /** @type {[CanvasRenderingContext2D, CanvasRenderingContext2D]} */ (
    contexts
  );
  const { canvas } = backdrop;
  const form = /** @type {HTMLFormElement} */ (element.querySelector("form"));
  const world = new World(partOf(element, "tab"), tabUrl);
  const panel = new Panel(element);
  const tour = new Tour();
  const stillness = matchMedia("(prefers-reduced-motion: reduce)");
  let isPaused = false;
  let isEnded = false;
  let colours = readColours(canvas);
  let layout = layOut(1, 1, 1);
  let pixels = new Pixels(1, 1);

  const showBackdrop = () => {
    const { scene, ghost, receiver, bus } = world;
    const account = world.ledger.account();
    drawBackdrop(backdrop, layout, colours, {
      scene,
      account,
      ghost,
      receiver,
      isTabOpen: Boolean(bus),
    });
  };

  const resize = () => {
    const { width, height } = canvas.getBoundingClientRect();
    const ratio = Math.min(2, devicePixelRatio);
    layout = layOut(width, height, ratio);
    for (const context of contexts) {
      context.canvas.width = Math.round(width * ratio);
      context.canvas.height = Math.round(height * ratio);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    pixels = new Pixels(canvas.width, Math.round(layout.moving * ratio));
    showBackdrop();
  };
  const sizes = new ResizeObserver(resize);
  sizes.observe(canvas);
  resize();

  const showCode = () => {
    partOf(element, "code").textContent = codeOf(world.settings);
  };
  showCode();

  /** @param {import("./receiver.js").Weather} weather */
  const setWeather = (weather) => {
    world.receiver.weather = weather;
    const radio = form.querySelector(`input[name="weather"][value="${weather}"]`);
    /** @type {HTMLInputElement} */ (radio).checked = true;
  };

  /** @param {boolean} isPlaying */
  const play = (isPlaying) => {
    tour.isPlaying = isPlaying;
    panel.announce(!isPlaying);
    const button = form.querySelector('[data-do="tour"]');
    if (button) button.ariaPressed = String(isPlaying);
  };
  play(true);

  /** @type {{ [name: string]: (input: HTMLInputElement) => void }} */
  const inputs = {
    weather: ({ value }) => setWeather(/** @type {any} */ (value)),
    rate: ({ value }) => {
      world.traffic.rate = Number(value);
    },
    backpressure: ({ value }) => world.change({ backpressure: value }),
    scaling: ({ value }) => world.change({ isAutoScaled: value === "auto" }),
    store: ({ checked }) => world.change({ hasStore: checked }),
  };
  form.addEventListener("input", ({ target }) => {
    const input = /** @type {HTMLInputElement} */ (target);
    play(false);
    inputs[input.name]?.(input);
    showCode();
  });

  /** @type {{ [name: string]: (button: HTMLButtonElement) => unknown }} */
  const actions = {
    scaleUp: () => play(false) ?? attempt(() => world.bus?.scaleUp()),
    scaleDown: () => play(false) ?? attempt(() => world.bus?.scaleDown()),
    closeTab: () => play(false) ?? world.closeTab(),
    tour: () => play(!tour.isPlaying),
    pause: (button) => {
      isPaused = !isPaused;
      button.ariaPressed = String(isPaused);
      button.textContent = isPaused ? "Resume" : "Pause";
    },
    copy: async (button) => {
      await navigator.clipboard.writeText(codeOf(world.settings));
      button.textContent = "Copied";
      setTimeout(() => {
        button.textContent = "Copy";
      }, 1500);
    },
  };
  element.addEventListener("click", ({ target }) => {
    const button = /** @type {HTMLElement} */ (target).closest("button");
    if (button?.dataset.do) actions[button.dataset.do]?.(button);
  });

  let last = performance.now();
  const showSum = () => panel.showBalance(world.ledger.account());
  const showTexts = () => {
    colours = readColours(canvas);
    const account = world.ledger.account();
    const stats = world.bus?.stats();
    panel.showCaption(captionOf(world, account, stats));
    panel.showTables(stats, account, world.ghost);
  };
  const updates = [
    { show: showBackdrop, every: SUM_MS, at: 0 },
    { show: showSum, every: SUM_MS, at: 0 },
    { show: showTexts, every: SLOW_MS, at: 0 },
  ];
  const frame = () => {
    if (isEnded) return;
    requestAnimationFrame(frame);
    const now = performance.now();
    const ms = now - last;
    last = now;
    if (isPaused) return;
    world.scene.isMoving = !stillness.matches;
    if (tour.isPlaying) {
      const weather = tour.step(Math.min(ms, 100));
      if (weather !== world.receiver.weather) setWeather(weather);
    }
    world.step(ms);
    const { scene } = world;
    const due = updates.filter(({ every, at }) => now - at > every);
    if (!scene.isMoving && due.length === 0) return;
    if (scene.isGliding) showBackdrop();
    drawMoving(front, pixels, layout, colours, { scene, now });
    // The one that is most overdue: with all of them, this frame would be late.
    due.sort((a, b) => a.at + a.every - (b.at + b.every));
    for (const update of scene.isMoving ? due.slice(0, 1) : updates) {
      update.at = now;
      update.show();
    }
  };
  requestAnimationFrame(frame);

  return {
    world,
    /** Ends the demo, and takes it away. */
    async end() {
      isEnded = true;
      sizes.disconnect();
      await world.end();
      element.replaceChildren();
    },
  };
}

/** Does something that a bus may refuse, such as a shard beyond the most. @param {() => unknown} work */
function attempt(work) {
  try {
    work();
  } catch (error) {
    if (/** @type {any} */ (error).code !== "ERR_SCALING") throw error;
  }
}
