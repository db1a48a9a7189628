import { isBytes, utf8Decoder, utf8Encoder } from "../internal.js";
import { addTo, type Grouped } from "./groups.js";
import type { OtlpEncoding } from "./otlp-encoding.js";
import { type Field, isInt64, type Message, resource, scope } from "./otlp-messages.js";

/** OTLP in JSON. An event is `[group,record]`. */
export const json: OtlpEncoding<string> = {
  contentType: "application/json",

  encode: (signal, record, group) => `[${group},${object(signal.record, record)}]`,

  group(batch, groups) {
    const grouped: Grouped<string> = new Map();
    for (const event of batch) {
      const comma = event.indexOf(",");
      const group = groups.at(Number(event.slice(1, comma)));
      addTo(grouped, group, event.slice(comma + 1, -1));
    }
    return grouped;
  },

  request(signal, grouped) {
    const resources = Array.from(grouped, ([from, scopes]) => {
      const inner = Array.from(scopes, ([by, records]) => {
        const members = [`"scope":${object(scope, by)}`, `"${signal.records}":[${records.join()}]`];
        return withSchema(members, by.schemaUrl);
      });
      const members = [`"resource":${object(resource, from)}`, `"${signal.scopes}":[${inner}]`];
      return withSchema(members, from.schemaUrl);
    });
    const text = `{"${signal.resources}":[${resources}]}`;
    return utf8Encoder().encode(text) as Uint8Array<ArrayBuffer>;
  },

  rejection(signal, answer) {
    if (answer.length === 0) return undefined;
    const { partialSuccess } = JSON.parse(utf8Decoder().decode(answer)) ?? {};
    if (partialSuccess === undefined || partialSuccess === null) return undefined;
    const count = Number(partialSuccess[signal.rejected] ?? 0);
    return { count, message: String(partialSuccess.errorMessage ?? "") };
  },
};

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
      return `"${nanoseconds(value as [number, number])}"`;
    case "uint":
    case "fixed32":
      return value === 0 ? "" : String(value);
    case "text":
    case "id":
      return value === "" ? "" : JSON.stringify(value);
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
  for (const [key, value] of Object.entries(values)) {
    if (value === undefined) continue;
    if (text !== "") text += ",";
    text += `{"key":${JSON.stringify(key)},"value":${anyValue(value)}}`;
  }
  return text;
}

function anyValue(value: unknown): string {
  switch (typeof value) {
    case "string":
      return `{"stringValue":${JSON.stringify(value)}}`;
    case "boolean":
      return `{"boolValue":${value}}`;
    case "number":
      if (isInt64(value)) return `{"intValue":${value}}`;
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
