// The same core as JavaScript, for runtimes without WebAssembly and for pages that must not compile
// any.
import { instantiate } from "./bus_js.js";
import { provideRequests, setCoreSource } from "./internal.js";

provideRequests();
setCoreSource(instantiate);

export * from "./api.js";
