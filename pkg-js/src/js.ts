// The same core as JavaScript, for runtimes without WebAssembly and for pages that must not compile
// any.
import { instantiate } from "./bus_js.js";
import * as glue from "./bus_js_bg.js";
import { provideRequests, setCoreSource } from "./internal.js";

const imports = {
  "./bus_js_bg.js": glue,
  // The glue numbers the objects that it hands in. These numbers stand for fixed values.
  __wbindgen_externref_xform__: { __wbindgen_externref_statics_end: () => 1028 },
};

provideRequests();
setCoreSource(() => ({ glue, exports: instantiate(imports) }));

export * from "./api.js";
