// `bus.wasm` as the runtimes with a condition of their own import it.

/** workerd: the namespace's default export is the compiled module. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

/** Vercel's edge runtime: the same, asked for by a query. */
declare module "*.wasm?module" {
  const module: WebAssembly.Module;
  export default module;
}
