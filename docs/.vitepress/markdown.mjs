// @ts-check
// Rules by which a page reads well in the repository and on the site.
import { readFileSync } from "node:fs";
import { posix } from "node:path";

const REPOSITORY = "https://github.com/shardbus/shardbus/blob/main/";

/**
 * A link to a file beside `docs/` leads to the repository.
 *
 * @param {any} md
 */
export function linkToRepository(md) {
  const { link_open: usual } = md.renderer.rules;
  md.renderer.rules.link_open = (
    /** @type {any} */ tokens,
    /** @type {number} */ at,
    /** @type {any} */ options,
    /** @type {any} */ env,
    /** @type {any} */ self,
  ) => {
    const href = String(tokens[at].attrGet("href"));
    const target = posix.join(posix.dirname(env.relativePath), href);
    if (href.startsWith("../") && target.startsWith("../")) {
      tokens[at].attrSet("href", REPOSITORY + target.slice("../".length));
    }
    return usual
      ? usual(tokens, at, options, env, self)
      : self.renderToken(tokens, at, options, env, self);
  };
}

/**
 * Drawings become a part of the page, so that they follow its colours and not only the system's.
 *
 * @param {any} md
 * @param {URL} root
 */
export function inlineDrawings(md, root) {
  const { image: usual } = md.renderer.rules;
  md.renderer.rules.image = (
    /** @type {any} */ tokens,
    /** @type {number} */ at,
    /** @type {any} */ options,
    /** @type {any} */ env,
    /** @type {any} */ self,
  ) => {
    const path = /drawings\/[\w-]+\.svg$/.exec(String(tokens[at].attrGet("src")))?.[0];
    if (path === undefined) return usual(tokens, at, options, env, self);
    const drawing = readFileSync(new URL(path, root), "utf8");
    // The site's stylesheet has its colours.
    const own = drawing.replace(/<style>.*?<\/style>/s, "").replaceAll("\n", "");
    // On a phone it keeps a size that can be read, and scrolls.
    return `<span class="drawing-frame" tabindex="0">${own.replace("<svg ", '<svg class="drawing" ')}</span>`;
  };
}
