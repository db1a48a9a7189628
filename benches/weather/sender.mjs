// One candidate: offers events at a steady rate, then ends in order. Its parent reads the count.
import { candidates } from "./candidates.mjs";
import { PER_SECOND, SECONDS } from "./plan.mjs";

const [, , name = "", url = ""] = process.argv;
const candidate = await candidates[name]?.(url);
if (!candidate) throw new Error(`there is no candidate ${name}`);
// A failed request of a candidate ends no process, as a service would have it.
process.on("unhandledRejection", () => {});

const begin = performance.now();
let offered = 0;
await new Promise((resolve) => {
  const timer = setInterval(() => {
    const elapsed = (performance.now() - begin) / 1000;
    const due = Math.min(elapsed, SECONDS) * PER_SECOND;
    for (; offered < Math.floor(due); offered++) candidate.push(offered);
    if (elapsed < SECONDS) return;
    clearInterval(timer);
    resolve(undefined);
  }, 20);
});
await candidate.finish().catch(() => {});
console.log(offered);
process.exit();
