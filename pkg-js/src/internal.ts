// The common part of several entries, bundled into one file: every file costs a process half a
// millisecond at its start, and classes and state must exist once. Entries import their common
// modules from here.

export { idStem } from "./batch.js";
export { fromBase64, fromCharacters } from "./core/base64.js";
export { setCoreSource } from "./core/module.js";
export { initialize, provide, provideBytes, type WasmSource } from "./core/wasm.js";
export { type Nonce, randomNonce, randomWord, setNonceSource } from "./delivery/nonce.js";
export { pollNow } from "./delivery/poll-now.js";
export { provideRequests } from "./delivery/provide-requests.js";
export { emitLine, emitRecord } from "./emit-record.js";
export * from "./errors/index.js";
export { EventBus } from "./event-bus.js";
export { RestoreRefusal } from "./generated/layout.js";
export { createOutbox } from "./outbox/create-outbox.js";
export { maxBytesOf } from "./stores/max-bytes.js";
export { elapsed } from "./util/clock.js";
export { ignorePoisonedAsync } from "./util/detached.js";
export { DeadlineTimer } from "./util/event-loop.js";
export { messageOf, plain, show } from "./util/format-value.js";
export { isBytes } from "./util/is-bytes.js";
export { nodeBuiltin } from "./util/node-builtin.js";
export { own } from "./util/own.js";
export { isPage } from "./util/page.js";
export { unlessAborted } from "./util/unless-aborted.js";
export { utf8Decoder, utf8Encoder } from "./util/utf8.js";
export { setDefaultScheduler } from "./validation/bus-options.js";
export { checkUrl } from "./validation/check-url.js";
export * from "./validation/schema.js";
