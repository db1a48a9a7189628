// For those who load the module themselves.
export * from "./api.js";
export { initialize, type WasmSource } from "./internal.js";
