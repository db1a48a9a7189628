// @ts-check

/**
 * Lets pino write into a bus: each line is one event, as it is.
 *
 * @param {import("shardbus").EventBus} bus
 */
export const pinoDestination = (bus) => ({
  /** @param {string} line */
  write(line) {
    try {
      bus.ingestRaw(line.trimEnd());
    } catch {
      // It is too large. The bus has counted it; the logging program must not fail for it.
    }
  },

  /** Called by `logger.flush(done)`. @param {(error?: Error) => void} done */
  flush(done) {
    bus.flush().then(() => done(), done);
  },
});
