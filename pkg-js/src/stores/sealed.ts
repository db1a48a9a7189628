import { InvalidOptionError, utf8Encoder } from "../internal.js";
import type { BatchStore } from "../outbox/batch-store.js";
import { withOutbox } from "../outbox/outbox.js";

/** The layout of a sealed batch: this byte, the nonce, the output of AES-GCM. */
const FORMAT = 1;
const NONCE_BYTES = 12;

/** A `CryptoKey` for AES-GCM, which not every environment has a type of that name for. */
export interface SealingKey {
  readonly algorithm: { readonly name: string };
  readonly extractable: boolean;
  readonly type: string;
  readonly usages: readonly string[];
}

/**
 * Keeps batches in another store so that nobody without the key can read, change or forge one: each is
 * encrypted by AES-GCM, under a nonce of its own and bound to its name in the store.
 *
 * A neighbour who can write to that store can still remove batches, keep them back, and put back
 * one that was removed, which is sent once more with its old id. Names show how many batches there
 * are, when each was begun, and of which run and shard it is.
 *
 * WebCrypto is asynchronous, so nothing can be written before a call returns: `saveSync()` returns
 * false, and a page that is left keeps only its earlier writes. A key is good for some billion
 * batches.
 *
 * @example
 * ```ts
 * const key = await crypto.subtle.importKey("raw", secret, "AES-GCM", false, ["encrypt", "decrypt"]);
 * const bus = new EventBus(send, { store: sealedStore(fileStore("/var/lib/my-app/outbox"), key) });
 * ```
 * @param keys one for AES-GCM, which may encrypt and decrypt; or several, to change them: the first
 * encrypts, and what any of them has encrypted can be read.
 * @throws {InvalidOptionError} if there is no such key.
 */
export function sealedStore(
  store: BatchStore,
  keys: SealingKey | readonly SealingKey[],
): BatchStore {
  const all: SealingKey[] = Array.isArray(keys) ? [...keys] : [keys];
  const [current] = all;
  if (
    !isKeyFor(current, "encrypt") ||
    !all.every((key): key is CryptoKey => isKeyFor(key, "decrypt"))
  ) {
    throw new InvalidOptionError(
      "keys",
      "`keys` must be a `CryptoKey` for AES-GCM that may encrypt and decrypt, or a list of such keys",
    );
  }
  return withOutbox<BatchStore>({
    ...(store.maxBytes !== undefined && { maxBytes: store.maxBytes }),
    open: (found) => store.open(found),
    read: async (name) => {
      const sealed = await store.read(name);
      return sealed && unseal(sealed, name, all);
    },
    write: async (name, bytes) => store.write(name, await seal(bytes, name, current)),
    remove: (name) => store.remove(name),
    ...(store.setAside && { setAside: async (name: string) => store.setAside?.(name) }),
    ...(store.close && { close: async () => store.close?.() }),
  });
}

const algorithm = (nonce: Uint8Array<ArrayBuffer>, name: string) => ({
  name: "AES-GCM",
  iv: nonce,
  // Under another name, or moved from another one, it is not the same batch.
  additionalData: utf8Encoder().encode(name),
});

async function seal(bytes: Uint8Array, name: string, key: CryptoKey): Promise<Uint8Array> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const plain = bytes as Uint8Array<ArrayBuffer>;
  const encrypted = await crypto.subtle.encrypt(algorithm(nonce, name), key, plain);
  const sealed = new Uint8Array(1 + NONCE_BYTES + encrypted.byteLength);
  sealed[0] = FORMAT;
  sealed.set(nonce, 1);
  sealed.set(new Uint8Array(encrypted), 1 + NONCE_BYTES);
  return sealed;
}

/** @throws if none of the keys has sealed it under this name. */
async function unseal(
  sealed: Uint8Array,
  name: string,
  keys: readonly CryptoKey[],
): Promise<Uint8Array> {
  const [nonce, encrypted] = [sealed.slice(1, 1 + NONCE_BYTES), sealed.slice(1 + NONCE_BYTES)];
  for (const key of sealed[0] === FORMAT ? keys : []) {
    try {
      return new Uint8Array(await crypto.subtle.decrypt(algorithm(nonce, name), key, encrypted));
    } catch {
      // By another key, perhaps.
    }
  }
  throw new Error("No key that was given has sealed it under this name, so it is not sent");
}

function isKeyFor(key: SealingKey | undefined, usage: KeyUsage): key is CryptoKey {
  return key?.algorithm?.name === "AES-GCM" && key.usages.includes(usage);
}
