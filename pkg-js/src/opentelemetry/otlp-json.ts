import { isBytes, utf8Decoder, utf8Encoder } from "../internal.js";
import { addTo, type Grouped } from "./groups.js";
import type { OtlpEncoding } from "./otlp-encoding.js";
import {
  checkedTime,
  checkedUint,
  type Field,
  isInt64,
  type Message,
  resource,
  scope,
} from "./otlp-messages.js";

/** Stands for the records in the text around them; JSON never has it. */
const RECORDS = "\u0000";

/**
 * OTLP in JSON. An event is a record, or `[group,record]` for another group than the first. As long
 * as there is one group, as in most programs, the body of a batch goes into its request as it is.
 */
export const json: OtlpEncoding<string | Uint8Array> = {
  contentType: "application/json",

  encode(signal, record, group) {
    const text = object(signal.record, record);
    return group === 0 ? text : `[${group},${text}]`;
  },

  group(batch, groups) {
    const grouped: Grouped<string | Uint8Array> = new Map();
    if (groups.size === 1) {
      addTo(grouped, groups.at(0), batch.body.subarray(1, -1));
      return grouped;
    }
    for (const event of batch) {
      const comma = event.startsWith("[") ? event.indexOf(",") : 0;
      const group = groups.at(Number(event.slice(1, comma)));
      addTo(grouped, group, comma === 0 ? event : event.slice(comma + 1, -1));
    }
    return grouped;
  },

  request(signal, grouped) {
    let body: Uint8Array | undefined;
    const listed = (records: (string | Uint8Array)[]) => {
      const [first] = records;
      if (!isBytes(first)) return records.join();
      body = first;
      return RECORDS;
    };
    const resources = Array.from(grouped, ([from, scopes]) => {
      const inner = Array.from(scopes, ([by, records]) => {
        const members = [
          `"scope":${object(scope, by)}`,
          `"${signal.records}":[${listed(records)}]`,
        ];
        return withSchema(members, by.schemaUrl);
      });
      const members = [`"resource":${object(resource, from)}`, `"${signal.scopes}":[${inner}]`];
      return withSchema(members, from.schemaUrl);
    });
    const text = `{"${signal.resources}":[${resources}]}`;
    if (body === undefined) return utf8Encoder().encode(text) as Uint8Array<ArrayBuffer>;
    const [head, tail] = text.split(RECORDS).map((part) => utf8Encoder().encode(part));
    return joined([head as Uint8Array, body, tail as Uint8Array]);
  },

  rejection(signal, answer) {
    if (answer.length === 0) return undefined;
    const { partialSuccess } = JSON.parse(utf8Decoder().decode(answer)) ?? {};
    if (partialSuccess === undefined || partialSuccess === null) return undefined;
    const count = Number(partialSuccess[signal.rejected] ?? 0);
    return { count, message: String(partialSuccess.errorMessage ?? "") };
  },
};

function joined(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function withSchema(members: string[], schemaUrl: string | undefined): string {
  if (schemaUrl) members.push(`"schemaUrl":${JSON.stringify(schemaUrl)}`);
  return `{${members}}`;
}

function object<R>(message: Message<R>, record: R): string {
  let text = "{";
  for (const field of message) {
    const value = fieldValue(field, field.read(record));
    if (value === "") continue;
    if (text !== "{") text += ",";
    text += `"${field.name}":${value}`;
  }
  return `${text}}`;
}

/** The value of a field; an empty text, if it is not written. */
function fieldValue<R>({ type }: Field<R>, value: unknown): string {
  if (value === undefined || value === null) return "";
  switch (type) {
    case "time":
      return `"${nanoseconds(checkedTime(value as [number, number]))}"`;
    case "uint":
    case "fixed32":
      return value === 0 ? "" : String(checkedUint(value as number));
    case "text":
    case "id":
      // Programs in JavaScript have other values, too.
      return value === "" ? "" : JSON.stringify(String(value));
    case "value":
      return anyValue(value);
    case "attributes": {
      const list = keyValues(value as object);
      return list === "" ? "" : `[${list}]`;
    }
    default: {
      if (!Array.isArray(value)) return object(type, value as never);
      return value.length === 0 ? "" : `[${value.map((one) => object(type, one as never))}]`;
    }
  }
}

function nanoseconds([seconds, nanos]: [number, number]): string {
  return `${seconds}${String(nanos).padStart(9, "0")}`;
}

function keyValues(values: object): string {
  let text = "";
  for (const key of Object.keys(values)) {
    const value = (values as Record<string, unknown>)[key];
    if (value === undefined) continue;
    text += `${text === "" ? "" : ","}${keyPart(key)}${anyValue(value)}}`;
  }
  return text;
}

/** Most keys whose text is kept: programs have few, unless they make them up. */
const MAX_KEYS = 1000;

const keyParts = /* @__PURE__ */ new Map<string, string>();

/** The beginning of a `KeyValue`. */
function keyPart(key: string): string {
  let part = keyParts.get(key);
  if (part === undefined) {
    part = `{"key":${JSON.stringify(key)},"value":`;
    if (keyParts.size < MAX_KEYS) keyParts.set(key, part);
  }
  return part;
}

function anyValue(value: unknown): string {
  switch (typeof value) {
    case "string":
      return `{"stringValue":${JSON.stringify(value)}}`;
    case "boolean":
      return `{"boolValue":${value}}`;
    case "number":
      // A large one exactly: its shortest text may be beyond 64 bits.
      if (isInt64(value)) {
        return `{"intValue":${Number.isSafeInteger(value) ? value : BigInt(value)}}`;
      }
      return `{"doubleValue":${Number.isFinite(value) ? value : `"${value}"`}}`;
    case "object":
      if (value === null) return "{}";
      if (isBytes(value)) return `{"bytesValue":"${base64(value)}"}`;
      if (Array.isArray(value)) return `{"arrayValue":{"values":[${value.map(anyValue)}]}}`;
      return `{"kvlistValue":{"values":[${keyValues(value)}]}}`;
    default:
      return "{}";
  }
}

function base64(bytes: Uint8Array): string {
  let characters = "";
  for (const byte of bytes) characters += String.fromCharCode(byte);
  return btoa(characters);
}
