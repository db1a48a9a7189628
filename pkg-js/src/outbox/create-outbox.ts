/**
 * The method by which a store makes the outbox of a bus: only users of a store carry its code.
 * Registered, so that buses of another copy of this package find it; the number counts changes of
 * their interface.
 */
export const createOutbox: unique symbol = /* @__PURE__ */ Symbol.for("shardbus.outbox.1");
