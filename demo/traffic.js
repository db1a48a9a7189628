// @ts-check
// Events of a shop's visitors. Each has a key, its user, which is drawn as a colour.

/** The users: of two, three, four or six shards, each gets as many of them. */
const USERS = "eli cyd rex thea zora cleo ada gil kay kim ida sam".split(" ");
const TYPES = ["view", "click", "search", "cart"];

/** The number of colours: one for each key. */
export const COLOURS = USERS.length;

/** The colour of a user's events. @param {string} user */
export const colourOf = (user) => USERS.indexOf(user);

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
