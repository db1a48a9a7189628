import { ShardbusError } from "./shardbus-error.js";

/** This runtime or page does not allow WebAssembly to be compiled. */
export class WasmUnavailableError extends ShardbusError {
  override name = "WasmUnavailableError" as const;
  readonly code = "ERR_WASM_UNAVAILABLE";

  constructor(cause: unknown) {
    super(
      "WebAssembly could not be compiled here, see the `cause`; in a page with a Content-Security-Policy add 'wasm-unsafe-eval' to script-src, or import `shardbus/js`, which needs no WebAssembly",
      { cause },
    );
  }
}
