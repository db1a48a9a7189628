/** Waits for work; rejects with the reason of the signal, if it is aborted first. */
export function unlessAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    work.then(() => resolve(), reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
