// @ts-check
// The story that plays by itself, until somebody takes a control.

/** @type {readonly { for: number, weather: import("./receiver.js").Weather }[]} */
const STORY = [
  { for: 6000, weather: "up" },
  { for: 8500, weather: "down" },
  { for: 7500, weather: "up" },
  { for: 7000, weather: "limited" },
];

export class Tour {
  isPlaying = true;
  #elapsed = 0;

  /** The weather of the story, after more of its time. @param {number} ms */
  step(ms) {
    const whole = STORY.reduce((sum, part) => sum + part.for, 0);
    this.#elapsed = (this.#elapsed + ms) % whole;
    let rest = this.#elapsed;
    for (const part of STORY) {
      if (rest < part.for) return part.weather;
      rest -= part.for;
    }
    return "up";
  }
}
