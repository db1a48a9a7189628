// @ts-check

// A service worker that buffers events of pages, as docs/start/pages.md says.
// @ts-expect-error: the site serves it there.
import { EventBus } from "/dist/index.js";
// @ts-expect-error: the same.
import "/dist/requests.js";
// @ts-expect-error: the same.
import { httpSink } from "/dist/sinks/http.js";

const collector = new URL(location.href).searchParams.get("collector");
const bus = new EventBus(httpSink(String(collector), { preflight: false }), {
  batch: { maxDelayMs: 3_600_000 },
});

addEventListener("message", (event) => {
  bus.ingest(/** @type {MessageEvent} */ (event).data);
  bus.waitUntil(/** @type {any} */ (event));
});
