// @ts-check
// A clock that a test can set. Import it before `shardbus`, which may keep the first clock that it
// finds.

/** Milliseconds since the clock's begin; `undefined` while it goes by itself. @type {number | undefined} */
let time;

/** Its lead over the system's while it goes by itself. */
let lead = 0;

const start = Date.now();
const systemNow = performance.now.bind(performance);
const systemDate = Date.now.bind(Date);

performance.now = () => time ?? systemNow() + lead;
Date.now = () => (time === undefined ? systemDate() + lead : start + time);

/** Sets the clock, or lets it go by itself again. @param {number | undefined} milliseconds */
export function setClock(milliseconds) {
  time = milliseconds;
}

/** Moves the clock on. @param {number} milliseconds */
export function advanceClock(milliseconds) {
  lead += milliseconds;
}
