// The type of events, from where it is written down to everywhere it arrives. Nothing here runs: the
// step `types` compiles it.
import { expectTypeOf } from "expect-type";
import {
  type Batch,
  type BusStats,
  type DeliveryCallback,
  type Drop,
  EventBus,
  type EventBusOptions,
  type FlushReport,
  type Receipt,
} from "shardbus";
import { EventBus as JsEventBus } from "shardbus/js";
import { EventBus as SlimEventBus } from "shardbus/slim";

interface Click {
  readonly user: string;
  readonly at?: number;
}
declare const clicks: readonly Click[];

// Written at the bus.
const bus = new EventBus<Click>(
  async (batch, context) => {
    expectTypeOf(batch).toEqualTypeOf<Batch<Click>>();
    expectTypeOf(batch.events()).toEqualTypeOf<Click[]>();
    expectTypeOf([...batch]).toEqualTypeOf<string[]>();
    expectTypeOf(batch.body).toEqualTypeOf<Uint8Array<ArrayBuffer>>();
    expectTypeOf(batch.firstTimestamp).toEqualTypeOf<bigint>();
    expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>();
  },
  {
    key: (event) => {
      expectTypeOf(event).toEqualTypeOf<Click>();
      return event.user;
    },
    onDrop: (drop) => {
      expectTypeOf(drop).toEqualTypeOf<Drop<Click>>();
      expectTypeOf(drop.batch?.events()).toEqualTypeOf<Click[] | undefined>();
    },
    onDelivered: ({ batch, attempt, count }) => {
      expectTypeOf(batch).toEqualTypeOf<Batch<Click>>();
      expectTypeOf([attempt, count]).toEqualTypeOf<number[]>();
    },
  },
);
expectTypeOf(bus).toEqualTypeOf<EventBus<Click>>();
expectTypeOf(bus.ingest).parameter(0).toEqualTypeOf<Click>();
expectTypeOf(bus.ingest({ user: "a" })).toEqualTypeOf<boolean>();
expectTypeOf(bus.ingestWithReceipt({ user: "a" })).toEqualTypeOf<Receipt>();
expectTypeOf(bus.ingestBatch(clicks)).toEqualTypeOf<{ accepted: number; rejected: number }>();
expectTypeOf(bus.drain()).toEqualTypeOf<Batch<Click>[]>();
expectTypeOf(bus.flush()).resolves.toEqualTypeOf<FlushReport>();
expectTypeOf(bus.close()).resolves.toEqualTypeOf<FlushReport>();
expectTypeOf(bus.stats()).toEqualTypeOf<BusStats>();

// Written at the callback, or at the options.
declare const send: DeliveryCallback<Click>;
declare const options: EventBusOptions<Click>;
expectTypeOf(new EventBus(send)).toEqualTypeOf<EventBus<Click>>();
expectTypeOf(new EventBus((batch: Batch<Click>) => batch.id)).toEqualTypeOf<EventBus<Click>>();
expectTypeOf(new EventBus(() => {}, options)).toEqualTypeOf<EventBus<Click>>();
expectTypeOf(new EventBus(() => {}, { key: (event: Click) => event.user })).toEqualTypeOf<
  EventBus<Click>
>();

// Of any events: for code that only watches or ends a bus.
declare const closeOf: (any: EventBus) => Promise<FlushReport>;
closeOf(bus);

// Written nowhere: events may be anything, and nothing is known of them.
const untyped = new EventBus((batch) => {
  expectTypeOf(batch.events()).toEqualTypeOf<unknown[]>();
});
expectTypeOf(untyped).toEqualTypeOf<EventBus<unknown>>();
untyped.ingest({ anything: true });

// The same in every entry.
expectTypeOf(JsEventBus).toEqualTypeOf<typeof EventBus>();
expectTypeOf(SlimEventBus).toEqualTypeOf<typeof EventBus>();

// A Worker's context is one that `waitUntil` takes.
bus.waitUntil({ waitUntil: (promise: Promise<unknown>) => void promise });

// @ts-expect-error an event of another shape
bus.ingest({ name: "a" });
// @ts-expect-error a field that is not there
bus.ingest({ user: "a", extra: 1 });
// @ts-expect-error one of the events has another shape
bus.ingestBatch([{ user: "a" }, { user: 1 }]);
// @ts-expect-error an event that is an object is not JSON yet
bus.ingestRaw({ user: "a" });
// @ts-expect-error a key is a string
bus.ingest({ user: "a" }, { key: 1 });
// @ts-expect-error the key of an event that has no such field
new EventBus<Click>(send, { key: (event) => event.name });
// @ts-expect-error a key function returns a string
new EventBus<Click>(send, { key: (event) => event.at });
// @ts-expect-error a callback for other events
new EventBus<{ name: string }>(send);
// @ts-expect-error there is no bus without a callback
new EventBus<Click>();
// @ts-expect-error no such option
new EventBus<Click>(send, { capcity: 1024 });
// @ts-expect-error no such mode
new EventBus<Click>(send, { backpressure: "block" });
// @ts-expect-error how much is sampled has to be said
new EventBus<Click>(send, { backpressure: {} });
// @ts-expect-error batches are the bus's to make
bus.drain()[0]?.events().push({ name: "a" });
new EventBus<Click>((batch) => {
  // @ts-expect-error a batch's properties are read-only
  batch.id = "mine";
});
// @ts-expect-error a flush has no such option
bus.flush({ timeout: 1000 });
