// `send.js` for those who cannot `require` an ES module.

/**
 * @param {typeof import("shardbus").EventBus} EventBus
 * @param {string} collector
 * @param {string} source
 */
exports.send = async (EventBus, collector, source) => {
  const bus = new EventBus(
    async (batch, { signal }) => {
      const headers = { "content-type": batch.contentType, "idempotency-key": batch.id };
      const response = await fetch(collector, {
        method: "POST",
        headers,
        body: batch.body,
        signal,
      });
      if (!response.ok) throw new Error(`the collector answers ${response.status}`);
    },
    { batch: { maxSize: 100 } },
  );
  for (let n = 0; n < 250; n++) bus.ingest({ source, n });
  await bus.close();
  // The last that it sends: an event that comes twice has come by then.
  await fetch(collector, { method: "POST", body: JSON.stringify({ source, isLast: true }) });
};
