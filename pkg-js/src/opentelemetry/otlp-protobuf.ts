import { isBytes, utf8Decoder } from "../internal.js";
import { addTo, type Grouped } from "./groups.js";
import type { OtlpEncoding } from "./otlp-encoding.js";
import {
  checkedTime,
  checkedUint,
  isInt64,
  type Message,
  resource,
  scope,
} from "./otlp-messages.js";
import { ProtobufWriter } from "./protobuf-writer.js";

let writer = /* @__PURE__ */ new ProtobufWriter();
let isWriting = false;

/**
 * The bytes of a message, until the next call. To read a record may run code of the program's own, such
 * as a getter, which may write another record meanwhile: that one gets a writer of its own.
 */
function written(fill: () => void): Uint8Array<ArrayBuffer> {
  const outer = { writer, isWriting };
  if (isWriting) writer = new ProtobufWriter();
  isWriting = true;
  try {
    writer.reset();
    fill();
    return writer.bytes;
  } finally {
    ({ writer, isWriting } = outer);
  }
}

/**
 * OTLP in protobuf. An event is the number of its group, and the record with its length before it.
 * The bus has events of bytes in its format `"json"`, which puts one byte before and after each.
 */
export const protobuf: OtlpEncoding<Uint8Array> = {
  contentType: "application/x-protobuf",

  encode(signal, record, group) {
    return written(() => {
      writer.varint(group);
      const start = writer.begin();
      write(signal.record, record);
      writer.end(start);
    });
  },

  group({ body, count }, groups) {
    const grouped: Grouped<Uint8Array> = new Map();
    const reader = new Reader(body);
    for (let i = 0; i < count; i++) {
      reader.at++;
      const group = groups.at(reader.varint());
      addTo(grouped, group, reader.delimited());
    }
    return grouped;
  },

  request(_signal, grouped) {
    const request = written(() => {
      for (const [from, scopes] of grouped) {
        writer.message(1, () => {
          writer.message(1, () => write(resource, from));
          for (const [by, records] of scopes) {
            writer.message(2, () => {
              writer.message(1, () => write(scope, by));
              for (const record of records) writer.delimited(2, record);
              if (by.schemaUrl) writer.text(3, by.schemaUrl);
            });
          }
          if (from.schemaUrl) writer.text(3, from.schemaUrl);
        });
      }
    });
    return request.slice();
  },

  rejection(_signal, answer) {
    const partialSuccess = new Reader(answer).fields().get(1);
    if (!isBytes(partialSuccess)) return undefined;
    const fields = new Reader(partialSuccess).fields();
    const message = fields.get(2);
    return {
      count: Number(fields.get(1) ?? 0),
      message: isBytes(message) ? utf8Decoder().decode(message) : "",
    };
  },
};

function write<R>(message: Message<R>, record: R): void {
  for (const { number, type, read } of message) {
    const value = read(record);
    if (value === undefined || value === null || value === "" || value === 0) {
      // An empty body is a value all the same.
      if (type !== "value" || value === undefined) continue;
    }
    switch (type) {
      case "time":
        writer.time(number, checkedTime(value as [number, number]));
        break;
      case "uint":
        writer.uint(number, checkedUint(value as number));
        break;
      case "fixed32":
        writer.fixed32(number, checkedUint(value as number));
        break;
      case "text":
        // Programs in JavaScript have other values, too.
        writer.text(number, String(value));
        break;
      case "id":
        writer.hex(number, value as string);
        break;
      case "value":
        writeValue(number, value);
        break;
      case "attributes":
        writeKeyValues(number, value as object);
        break;
      default:
        for (const one of Array.isArray(value) ? value : [value]) {
          const start = writer.beginMessage(number);
          write(type, one as never);
          writer.end(start);
        }
    }
  }
}

function writeKeyValues(number: number, values: object): void {
  for (const key of Object.keys(values)) {
    const value = (values as Record<string, unknown>)[key];
    if (value === undefined) continue;
    const pair = writer.beginMessage(number);
    writer.text(1, key);
    writeValue(2, value);
    writer.end(pair);
  }
}

/** Writes an `AnyValue` as a field. */
function writeValue(number: number, value: unknown): void {
  const start = writer.beginMessage(number);
  switch (typeof value) {
    case "string":
      writer.text(1, value);
      break;
    case "boolean":
      writer.uint(2, Number(value));
      break;
    case "number":
      if (isInt64(value)) writer.int64(3, value);
      else writer.double(4, value);
      break;
    case "object":
      if (value !== null) writeObject(value);
  }
  writer.end(start);
}

function writeObject(value: object): void {
  if (isBytes(value)) {
    writer.delimited(7, value);
    return;
  }
  const start = writer.beginMessage(Array.isArray(value) ? 5 : 6);
  if (Array.isArray(value)) for (const one of value) writeValue(1, one);
  else writeKeyValues(1, value);
  writer.end(start);
}

/** Reads protobuf, as far as answers and our own events have it. */
class Reader {
  at = 0;

  constructor(readonly bytes: Uint8Array) {}

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new RangeError("The answer ends within a field");
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  delimited(): Uint8Array {
    const length = this.varint();
    if (this.at + length > this.bytes.length)
      throw new RangeError("The answer ends within a field");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** The last value of each field: a number, or bytes. */
  fields(): Map<number, number | Uint8Array> {
    const fields = new Map<number, number | Uint8Array>();
    while (this.at < this.bytes.length) {
      const tag = this.varint();
      const type = tag % 8;
      if (type === 1 || type === 5) this.at += type === 1 ? 8 : 4;
      else fields.set(Math.floor(tag / 8), type === 2 ? this.delimited() : this.varint());
    }
    return fields;
  }
}
