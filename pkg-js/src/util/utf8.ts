// UTF-8 encoder and decoder. Made when first needed, and taken from Node where the environment of a
// test hides them, as Jest's jsdom does.
import { nodeBuiltin } from "./node-builtin.js";

type Coders = Pick<typeof globalThis, "TextEncoder" | "TextDecoder">;

function coders(name: keyof Coders): Coders {
  const isThere = typeof globalThis[name] === "function";
  return isThere ? globalThis : (nodeBuiltin<Coders>("node:util") ?? globalThis);
}

let encoder: TextEncoder | undefined;
let decoder: TextDecoder | undefined;

export function utf8Encoder(): TextEncoder {
  encoder ??= new (coders("TextEncoder").TextEncoder)();
  return encoder;
}

/** It keeps byte order marks: they are the events' own. */
export function utf8Decoder(): TextDecoder {
  decoder ??= new (coders("TextDecoder").TextDecoder)("utf-8", { ignoreBOM: true });
  return decoder;
}
