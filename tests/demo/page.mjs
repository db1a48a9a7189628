// @ts-check
// Lets a test use the demo, and watches every frame: `page.…` in its document.
const script = "/demo.js";
/** @type {typeof import("../../demo/demo.js")} */
const { mount } = await import(script);

const parameters = new URLSearchParams(location.search);
if (parameters.has("still")) {
  const original = window.matchMedia.bind(window);
  window.matchMedia = (query) =>
    query.includes("reduced-motion") ? /** @type {any} */ ({ matches: true }) : original(query);
}

const element = /** @type {HTMLElement} */ (document.getElementById("demo"));
const { world } = mount(element, "tab.html");
const seen = { frames: 0, unbalanced: 0, unlike: 0, dots: 0 };

function watch() {
  requestAnimationFrame(watch);
  const { bus, scene, ledger } = world;
  const stats = bus?.stats();
  if (!stats || scene.tubes.length === 0) return;
  seen.frames++;
  seen.dots += scene.dots.length;
  if (!ledger.account().isBalanced) seen.unbalanced++;
  // A batch may have left since the frame was drawn, an event has not come.
  const isMore = stats.shards.some(({ id, pending }) => {
    const tube = scene.tubes.find((one) => one.id === id);
    return tube !== undefined && pending > tube.cells.length;
  });
  if (isMore) seen.unlike++;
}
watch();

Object.assign(window, {
  page: {
    seen: () => seen,
    account: () => world.ledger.account(),
    receiver: () => ({ stored: world.receiver.stored, repeated: world.receiver.repeated }),
    ghost: () => ({ lost: world.ghost.lost, held: world.ghost.held }),
    shards: () => world.bus?.stats().shards.length,
    hasTab: () => world.bus !== undefined,
    storeError: () => world.storeError,
    code: () => element.querySelector("code")?.textContent,
    width: () => document.documentElement.scrollWidth,
    changed: () => world.changed(),
    /** @param {string} name @param {string} value */
    choose(name, value) {
      const input = element.querySelector(`input[name="${name}"][value="${value}"]`);
      /** @type {HTMLInputElement} */ (
        input ?? element.querySelector(`input[name="${name}"]`)
      ).click();
      return world.changed();
    },
    /** @param {string} action */
    press: (action) =>
      /** @type {HTMLElement} */ (element.querySelector(`[data-do="${action}"]`)).click(),
    /** Findings of axe. */
    async inspect() {
      const { violations } = await /** @type {any} */ (window).axe.run();
      return violations.map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes[0].html}`);
    },
  },
});
