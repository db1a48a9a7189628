// The program of every fixture: a bus sends numbered events to the collector.

/**
 * @param {typeof import("shardbus").EventBus} EventBus
 * @param {string} collector its address
 * @param {string} source where the bus is; the collector expects `COUNT` events from each
 */
export async function send(EventBus, collector, source) {
  const bus = new EventBus(
    async (batch, { signal }) => {
      const { body, contentType } = batch;
      const headers = { "content-type": contentType, "idempotency-key": batch.id };
      const response = await fetch(collector, { method: "POST", headers, body, signal });
      if (!response.ok) throw new Error(`the collector answers ${response.status}`);
    },
    // Several batches.
    { batch: { maxSize: 100 } },
  );
  for (let n = 0; n < 250; n++) bus.ingest({ source, n });
  await bus.close();
  // The last that it sends: an event that comes twice has come by then.
  await fetch(collector, { method: "POST", body: JSON.stringify({ source, isLast: true }) });
}
