/**
 * The method by which a store makes the outbox of a bus: only who has a store carries the code of one.
 * Registered, so that buses of another copy of this package find it; the number counts changes
 * of what the two need of each other.
 */
export const createOutbox: unique symbol = /* @__PURE__ */ Symbol.for("shardbus.outbox.1");
