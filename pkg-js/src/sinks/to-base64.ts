import { utf8Encoder } from "../internal.js";

/** Arguments of a call, at most. */
const CHUNK = 8192;

/** The UTF-8 of a text as base64. */
export function toBase64(text: string): string {
  const bytes = utf8Encoder().encode(text);
  let characters = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    characters += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return btoa(characters);
}
