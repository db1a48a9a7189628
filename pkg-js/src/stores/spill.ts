import { fromCharacters } from "../internal.js";

/** The layout of these entries. A change of it is another format. */
const FORMAT = 1;
const ENTRY = /^shardbus:(\d+):(.*):([0-9a-f]{32}):([0-9a-z-]+)$/;
const FORMATS = /^shardbus:(\d+):/;

/**
 * The number of bytes that become characters at a time: so many arguments a function can have
 * anywhere.
 */
const CHUNK = 8192;

/** The place of a batch: its owner and its key. */
export type Place = readonly [owner: string, key: string];

/**
 * Keeps batches in `localStorage`, where the writes of a page that goes survive in every browser:
 * WebKit undoes those that begin in IndexedDB by then. There is room for a few megabytes, the
 * origin's other data included.
 */
export class Spill {
  readonly #name: string;

  /** @param name of the store that it belongs to. */
  constructor(name: string) {
    this.#name = name;
  }

  /** Its entries, and the formats of entries that other versions of this package have written. */
  list(): { places: Place[]; otherFormats: string[] } {
    const places: Place[] = [];
    const otherFormats = new Set<string>();
    const storage = storageHere();
    for (let i = 0; i < (storage?.length ?? 0); i++) {
      const item = storage?.key(i) ?? "";
      const [, format, name, owner, key] = ENTRY.exec(item) ?? [];
      const itsFormat = format ?? FORMATS.exec(item)?.[1];
      if (itsFormat !== undefined && itsFormat !== String(FORMAT)) otherFormats.add(itsFormat);
      else if (name === this.#name) places.push([owner as string, key as string]);
    }
    return { places, otherFormats: [...otherFormats] };
  }

  read(place: Place): Uint8Array | undefined {
    const text = storageHere()?.getItem(this.#item(place));
    return typeof text === "string" ? fromCharacters(text) : undefined;
  }

  /** @throws if there is no room for it, or no `localStorage`, as in web workers. */
  write(place: Place, bytes: Uint8Array): void {
    const storage = storageHere();
    if (storage === undefined) {
      throw new Error("There is no localStorage here, which alone is written to at once");
    }
    // One character for each byte: Base64 would need a third more.
    let text = "";
    for (let i = 0; i < bytes.length; i += CHUNK) {
      text += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
    }
    try {
      storage.setItem(this.#item(place), text);
    } catch (cause) {
      const size = `${bytes.length} bytes`;
      throw new Error(
        `There is no room for its ${size} in localStorage, which alone is written to at once: ${cause}`,
        { cause },
      );
    }
  }

  remove(place: Place): void {
    storageHere()?.removeItem(this.#item(place));
  }

  clear(): void {
    for (const place of this.list().places) this.remove(place);
  }

  #item([owner, key]: Place): string {
    return `shardbus:${FORMAT}:${this.#name}:${owner}:${key}`;
  }
}

/** Web workers have none, and where the user forbids it, it throws. */
function storageHere(): Storage | undefined {
  try {
    return globalThis.localStorage ?? undefined;
  } catch {
    return undefined;
  }
}
