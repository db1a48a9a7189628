// @ts-check
// A clock that a test can set. Import it before `shardbus`, which may keep what it finds when it is
// loaded.

/** Milliseconds since the clock's begin; `undefined` while it goes by itself. @type {number | undefined} */
let time;

const start = Date.now();
const systemNow = performance.now.bind(performance);
const systemDate = Date.now.bind(Date);

performance.now = () => time ?? systemNow();
Date.now = () => (time === undefined ? systemDate() : start + time);

/** Sets the clock, or lets it go by itself again. @param {number | undefined} milliseconds */
export function setClock(milliseconds) {
  time = milliseconds;
}
