import { diag } from "@opentelemetry/api";
import { messageOf } from "../internal.js";
import type { HeaderList, HttpSinkOptions } from "../sinks/http.js";

/** The environment variables, such as `process.env` or the `env` of a Worker. */
export type Environment = Readonly<Record<string, unknown>>;

/**
 * The receiver. An option that is missing comes from the environment: from
 * `OTEL_EXPORTER_OTLP_LOGS_…` or `OTEL_EXPORTER_OTLP_TRACES_…`, else from `OTEL_EXPORTER_OTLP_…`.
 */
export interface OtlpOptions {
  /**
   * The URL for this kind of telemetry. The environment has it as `…_LOGS_ENDPOINT` or
   * `…_TRACES_ENDPOINT`, or without its end as `OTEL_EXPORTER_OTLP_ENDPOINT`.
   * @default "http://localhost:4318/v1/logs" or "http://localhost:4318/v1/traces"
   */
  readonly url?: string | undefined;
  /** Headers, such as a token, beside those of the environment. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** @default "http/protobuf" */
  readonly protocol?: "http/protobuf" | "http/json" | undefined;
  /** @default "none" */
  readonly compression?: "gzip" | "none" | undefined;
  /**
   * The environment variables.
   * @default `process.env`, where there is one
   */
  readonly env?: Environment | undefined;
  /** Used instead of the global `fetch`. */
  readonly fetch?: HttpSinkOptions["fetch"];
}

/** The names of the options that say where to send to. */
export const OTLP_OPTIONS = ["url", "headers", "protocol", "compression", "fetch"] as const;

/** The receiver, as options and environment have it. */
export interface OtlpReceiver {
  readonly url: string;
  readonly headers: HeaderList;
  readonly isJson: boolean;
  readonly gzip: boolean;
  readonly timeoutMs: number | undefined;
}

export function receiverOf(signal: "logs" | "traces", options: OtlpOptions): OtlpReceiver {
  const read = reader(options.env);
  const own = (name: string) => read(`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_${name}`);
  const variable = (name: string) => own(name) ?? read(`OTEL_EXPORTER_OTLP_${name}`);
  const base = read("OTEL_EXPORTER_OTLP_ENDPOINT") ?? "http://localhost:4318";
  const url = options.url ?? own("ENDPOINT") ?? `${base.replace(/\/$/, "")}/v1/${signal}`;
  const protocol = options.protocol ?? variable("PROTOCOL") ?? "http/protobuf";
  if (protocol !== "http/json" && protocol !== "http/protobuf") {
    diag.warn(`The OTLP protocol ${protocol} is not supported; http/protobuf is used instead`);
  }
  const compression = options.compression ?? variable("COMPRESSION") ?? "none";
  if (compression !== "gzip" && compression !== "none") {
    diag.warn(`The OTLP compression ${compression} is not supported; requests are not compressed`);
  }
  return {
    url,
    // Later ones go before earlier ones, whatever the case of their names.
    headers: {
      ...lowerCased(parsePairs(read("OTEL_EXPORTER_OTLP_HEADERS"))),
      ...lowerCased(parsePairs(own("HEADERS"))),
      ...lowerCased(options.headers ?? {}),
    },
    isJson: protocol === "http/json",
    gzip: compression === "gzip",
    timeoutMs: toNumber(variable("TIMEOUT")),
  };
}

const lowerCased = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/** Reads environment variables; an empty one is as good as none. */
export function reader(env: Environment | undefined): (name: string) => string | undefined {
  const variables = env ?? (globalThis as { process?: { env?: Environment } }).process?.env ?? {};
  return (name) => {
    const value = readVariable(variables, name);
    return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
  };
}

/** Deno throws where a program may not read a variable. */
function readVariable(variables: Environment, name: string): unknown {
  try {
    return variables[name];
  } catch (error) {
    diag.debug(`The environment variable ${name} is not read: ${messageOf(error)}`);
    return undefined;
  }
}

/** A positive number; nothing, with a warning, if the text of an environment variable is none. */
export function toNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (number > 0 && number < 2 ** 31) return number;
  diag.warn(
    `${text} in an environment variable is ignored: it must be a number above 0 and below 2^31`,
  );
  return undefined;
}

/** Parses `name=value,name=value`, with percent signs as in URLs. */
export function parsePairs(text: string | undefined): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const pair of text?.split(",") ?? []) {
    const equals = pair.indexOf("=");
    if (equals <= 0) continue;
    const [name, value] = [pair.slice(0, equals), pair.slice(equals + 1)];
    try {
      pairs[decodeURIComponent(name.trim())] = decodeURIComponent(value.trim());
    } catch {
      diag.warn(`The value of ${name.trim()} in an environment variable has a stray percent sign`);
    }
  }
  return pairs;
}
