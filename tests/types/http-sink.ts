// The types of the HTTP sink, and of others with functions of a batch. Nothing here runs: the step
// `types` compiles it.
import { expectTypeOf } from "expect-type";
import { type Batch, EventBus } from "shardbus";
import { httpSink, refuseHtml } from "shardbus/sinks/http";
import { r2Sink } from "shardbus/sinks/r2";
import { s3Sink } from "shardbus/sinks/s3";

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

// Functions of a batch get the bus's events, or say which they take.
interface Click {
  readonly user: string;
}
declare const bucket: Parameters<typeof r2Sink>[0];
declare const client: Parameters<typeof s3Sink>[0];
const encode = (batch: Batch<Click>) =>
  batch
    .events()
    .map(({ user }) => user)
    .join();
new EventBus<Click>(httpSink(url, { encode, check: refuseHtml }));
new EventBus<Click>(httpSink(url, { encode: (batch) => batch.events()[0]?.user ?? "" }));
new EventBus<Click>(httpSink((batch) => `${url}/${batch.events()[0]?.user}`));
new EventBus<Click>(r2Sink(bucket, { key: (batch) => `${batch.events()[0]?.user}` }));
new EventBus<Click>(s3Sink(client, url, { key: (batch) => `${batch.events()[0]?.user}` }));
expectTypeOf(new EventBus(httpSink(url, { encode }))).toEqualTypeOf<EventBus<Click>>();
expectTypeOf(new EventBus(httpSink(url))).toEqualTypeOf<EventBus<unknown>>();
