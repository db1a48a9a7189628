// A measurement: a program that gets one JSON argument and prints one line of JSON. It imports
// nothing: even `node:process` makes Node load its streams, a cost that may belong to the measured
// code.

/**
 * Runs this process's measurement, and ends it.
 *
 * @template Options, Result
 * @param {(options: Options) => Promise<Result>} measure
 */
export async function job(measure) {
  const result = await measure(JSON.parse(process.argv[2] ?? "{}"));
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

export const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** Microseconds of CPU time that this process has used, its threads for garbage and code included. */
export function cpuMicroseconds() {
  const { user, system } = process.cpuUsage();
  return user + system;
}
