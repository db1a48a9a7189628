/** 64 random bits, which tell the batches of a run from those of every other one. */
export type Nonce = ArrayLike<number>;

let source = randomNonce;

/** Says how a runtime makes nonces for less than the runtime's cryptography costs. */
export function setNonceSource(make: () => Nonce): void {
  source = make;
}

/**
 * Makes the nonce of a run. For the first batch, and not earlier: there is no randomness at a
 * Worker's global scope, and processes that start from one snapshot would have one nonce.
 */
export const makeNonce = (): Nonce => source();

/**
 * A nonce by the runtime's cryptography. Node ends the process if the stack is used up while that is
 * loaded, and it is asked again. Ids need to differ; it does no harm if somebody guesses them.
 */
export function randomNonce(): Nonce {
  try {
    return crypto.getRandomValues(new Uint32Array(2));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return Uint32Array.from([0, 0], randomWord);
  }
}

/** 32 random bits that may repeat in processes that start from one snapshot. */
export const randomWord = (): number => Math.random() * 2 ** 32;
