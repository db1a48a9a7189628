import { Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import type { EventBus } from "./event-bus.js";
import { emitLine } from "./internal.js";

/** A destination for pino. */
export interface PinoDestination {
  /** Offers a line. It never throws: a refused line is counted, and reported to `onDrop`. */
  write(line: string): void;
  /** Called by `logger.flush(done)`: sends all lines. */
  flush(done?: (error?: Error) => void): void;
}

/** The stream of a {@linkcode pinoTransport}; a Node `Writable`. */
export interface PinoTransport {
  write(lines: string): boolean;
  flush(done: (error?: Error) => void): void;
  end(): unknown;
  on(event: string, listener: (...args: never[]) => void): unknown;
}

/**
 * Lets pino write into a bus: each line is one event, as it is. Nothing is parsed.
 *
 * @example
 * ```ts
 * const logger = pino({}, pinoDestination(bus));
 * ```
 */
export function pinoDestination(bus: Pick<EventBus, "ingestRaw" | "flush">): PinoDestination {
  return {
    write(line) {
      emitLine(bus, line);
    },
    flush(done = () => {}) {
      bus.flush().then(() => done(), done);
    },
  };
}

/** Options of a {@linkcode pinoTransport}. */
export interface PinoTransportOptions {
  /**
   * The time to send the last lines when pino ends the stream, in milliseconds. pino's
   * main thread stands still meanwhile, and gives up after ten seconds.
   * @default 5000
   */
  readonly timeoutMs?: number | undefined;
}

/**
 * Makes a stream for a module that pino loads into a worker thread, by `transport: { target }`. The
 * bus lives in that thread, and is closed when pino ends the stream.
 *
 * @example
 * ```ts
 * // log-transport.js
 * export default () => pinoTransport(new EventBus(httpSink("https://collector.example/logs")));
 * ```
 */
export function pinoTransport(
  bus: Pick<EventBus, "ingestRaw" | "flush" | "close">,
  { timeoutMs = 5000 }: PinoTransportOptions = {},
): PinoTransport {
  /** The incomplete line at the end of the last chunk. */
  let begun = "";
  // Bytes, as from a pipe, may end within a character.
  const decoder = new StringDecoder();
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      const text = typeof chunk === "string" ? chunk : decoder.write(chunk);
      const lines = `${begun}${text}`.split("\n");
      begun = lines.pop() ?? "";
      for (const line of lines) emitLine(bus, line);
      done();
    },
    final(done) {
      emitLine(bus, `${begun}${decoder.end()}`);
      bus.close({ timeoutMs }).then(() => done(), done);
    },
  });
  const { flush } = pinoDestination(bus);
  return Object.assign(stream, { flush });
}
