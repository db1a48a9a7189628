// The time that passes for buses: that of `performance.now()`. Tests replace it and set it back, or
// replace the timers without it.

let source: unknown;
let offset = 0;
let latest = 0;

/** Milliseconds since some fixed point. Never goes back, and does not jump when the clock is replaced. */
export function elapsed(): number {
  const reading = performance.now();
  if (performance.now !== source) {
    // A whole number, so that fake clocks keep to whole milliseconds.
    if (source !== undefined) offset = Math.ceil(latest - reading);
    source = performance.now;
  }
  latest = Math.max(latest, reading + offset);
  return latest;
}

/** A timer has fired that was set for `time`: it is that late at least, whatever the clock says. */
export function reach(time: number): void {
  latest = Math.max(latest, time);
}
