// The forms in which the HTTP sink takes headers. Nothing here runs: the step `types` compiles it.
import { httpSink, refuseHtml } from "shardbus/sinks/http";

const url = "https://collector.example";
const pairs: [string, string][] = [["x-a", "1"]];

httpSink(url, { headers: { "x-a": "1" }, init: { headers: pairs, credentials: "include" } });
httpSink(url, { headers: new Headers(pairs), init: { headers: new Headers() } });
httpSink(url, { headers: new Map(pairs), check: refuseHtml });
httpSink(url, { headers: ({ id }) => ({ "x-id": id }) });
httpSink(url, { headers: async () => new Headers(pairs) });

// @ts-expect-error a promise is not asked at each attempt
httpSink(url, { headers: Promise.resolve({ "x-a": "1" }) });
// @ts-expect-error it would be sent as "undefined"
httpSink(url, { headers: { "x-a": undefined } });
// @ts-expect-error redirects are the sink's to follow
httpSink(url, { init: { redirect: "follow" } });
