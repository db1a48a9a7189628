// What several entries need, which becomes one file: every file costs a process half a millisecond
// at its start, and classes and state must exist once. Entries take from here whatever others have
// too.
export { fromBase64, fromCharacters } from "./base64.js";
export { idStem } from "./batch.js";
export { builtin } from "./builtin.js";
// A loader that links `bus.wasm` itself finds the glue here, by way of `bus_bg.js`.
export * from "./bus_bg.js";
export * from "./check-group.js";
export { setDefaultScheduler } from "./check-options.js";
export { provideCore } from "./core.js";
export * from "./errors/index.js";
export { EventBus } from "./event-bus.js";
export { isPage } from "./lifecycle.js";
export { own } from "./own.js";
export { messageOf, plain, show } from "./show.js";
export { utf8Decoder, utf8Encoder } from "./utf8.js";
export { initialize, provide, type WasmSource } from "./wasm.js";
