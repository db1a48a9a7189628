// @ts-check
// The common part of two encodings of the same records: all but the order of their fields, and
// fields that are 0 or empty, which need not be written.

const decoder = new TextDecoder("utf-8", { fatal: true });

/** The fields of a message in protobuf, as nested arrays. @param {Uint8Array} bytes @returns {unknown[]} */
export function canonicalProtobuf(bytes) {
  /** @type {[number, unknown][]} */
  const fields = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (at >= bytes.length) throw new RangeError("the message ends within a varint");
      const byte = bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (/** @type {number} */ length) => {
    if (at + length > bytes.length) throw new RangeError("the message ends within a field");
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const [number, type] = [tag >> 3, tag & 7];
    if (number === 0 || ![0, 1, 2, 5].includes(type)) throw new RangeError("no such field");
    if (type === 0) {
      const value = varint();
      if (value !== 0n) fields.push([number, value]);
    } else if (type === 2) {
      const content = canonicalContent(take(Number(varint())));
      if (content.length > 0) fields.push([number, content]);
    } else {
      const fixed = Buffer.from(take(type === 1 ? 8 : 4)).toString("hex");
      if (/[^0]/.test(fixed)) fields.push([number, fixed]);
    }
  }
  return fields.sort(([a], [b]) => a - b);
}

/** A message, if the bytes are one, or text or digits. @param {Uint8Array} bytes */
function canonicalContent(bytes) {
  try {
    return canonicalProtobuf(bytes);
  } catch {
    try {
      return decoder.decode(bytes);
    } catch {
      return Buffer.from(bytes).toString("hex");
    }
  }
}

/** A value in JSON. @param {unknown} value @returns {unknown} */
export function canonicalJson(value) {
  if (Array.isArray(value)) return value.map(canonicalJson);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [name, canonicalJson(member)]);
  return Object.fromEntries(members.filter(([, member]) => !isDefault(member)));
}

/** @param {unknown} value */
const isDefault = (value) =>
  value === 0 ||
  value === "" ||
  value === undefined ||
  (typeof value === "object" && value !== null && Object.keys(value).length === 0);
