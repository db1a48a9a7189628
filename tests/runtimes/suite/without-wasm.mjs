// @ts-check

// Preloaded into Node: there is no WebAssembly, and `shardbus` is `shardbus/js`.
import { Module, register } from "node:module";

const entry = (/** @type {string} */ specifier) =>
  specifier === "shardbus" ? "shardbus/js" : specifier;

const hooks = `
  const entry = ${entry};
  export const resolve = (specifier, context, next) => next(entry(specifier), context);
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

// `require` asks no hooks.
const commonJs = /** @type {any} */ (Module);
const resolve = commonJs._resolveFilename;
commonJs._resolveFilename = (/** @type {string} */ request, /** @type {any[]} */ ...rest) =>
  resolve(entry(request), ...rest);

// Node's `fetch` has its parser as WebAssembly, which it instantiates once.
const { instantiate } = WebAssembly;
await new Promise((resolve) => {
  WebAssembly.instantiate = /** @type {any} */ (
    (/** @type {[any, any]} */ ...args) => {
      resolve(undefined);
      return instantiate(...args);
    }
  );
  void globalThis.Response;
});

Reflect.deleteProperty(globalThis, "WebAssembly");
