// @ts-check
// Events of a shop's visitors. Each has a key, its user, which is drawn as a colour.

/** Colours of keys. */
export const COLOURS = 6;

const USERS = Array.from({ length: 60 }, (_, i) => `user-${i + 1}`);
const TYPES = ["view", "click", "search", "cart"];

/** The colour of a user's events. @param {string} user */
export const colourOf = (user) => Number(user.slice("user-".length)) % COLOURS;

/** A rate of events, as frames ask for them. */
export class Traffic {
  /** Events a second. */
  rate = 200;
  #due = 0;
  #serial = 0;

  /** The events of a time that has passed. @param {number} ms */
  *events(ms) {
    // A page that was hidden makes up for nothing.
    this.#due += (this.rate * Math.min(ms, 100)) / 1000;
    for (; this.#due >= 1; this.#due--) {
      const user = USERS[Math.floor(Math.random() * USERS.length)] ?? "";
      yield { type: TYPES[this.#serial % TYPES.length], user, n: this.#serial++ };
    }
  }
}
