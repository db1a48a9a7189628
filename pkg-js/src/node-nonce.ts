import { type Nonce, randomNonce, randomWord } from "./internal.js";

interface NodeProcess {
  readonly pid: number;
  readonly hrtime: { bigint(): bigint };
}

let made = 0;

/**
 * A nonce without Node's cryptography, which takes longer to load than everything else here. The
 * clocks and the process are mixed in, because a process that starts from a snapshot may go on with
 * the random numbers of others.
 */
export function nodeNonce(): Nonce {
  const { process } = globalThis as { process?: NodeProcess };
  if (process?.hrtime === undefined) return randomNonce();
  const now = process.hrtime.bigint();
  const facts = `${process.pid} ${performance.timeOrigin} ${Date.now()} ${now} ${made++}`;
  return Uint32Array.from([0, 1], (seed) => randomWord() ^ hash(facts, seed));
}

/** FNV-1a over the characters, and the finaliser of MurmurHash3, as the last ones differ most. */
function hash(text: string, seed: number): number {
  let hash = 0x811c_9dc5 ^ seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}
