/** The number of characters that stand for bytes, beside the two that stand before them. */
const CHARACTERS = 90;

/**
 * Unpacks a module. In `text`, one printable character stands for each of the most frequent bytes,
 * and for another byte two. A bit of `frequent`, as hexadecimal digits, says which those are.
 */
export function unpackModule(
  text: string,
  frequent: string,
  length: number,
): Uint8Array<ArrayBuffer> {
  const values = Array.from({ length: 256 }, (_, byte) => byte);
  const isFrequent = (byte: number) =>
    Number.parseInt(frequent.charAt(byte >> 2), 16) & (1 << (byte & 3));
  // Those of one character first, and each kind in its order.
  const bytes = Uint8Array.from([
    ...values.filter(isFrequent),
    ...values.filter((byte) => !isFrequent(byte)),
  ]);
  const places = new Uint8Array(128);
  let place = 0;
  for (let code = 32; code < 125; code++) {
    if (!'"<\\'.includes(String.fromCharCode(code))) places[code] = place++;
  }
  const module = new Uint8Array(length);
  let at = 0;
  let offset = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 125) {
      module[at++] = bytes[offset + (places[code] as number)] as number;
      offset = 0;
    } else {
      offset = (code - 124) * CHARACTERS;
    }
  }
  return module;
}
