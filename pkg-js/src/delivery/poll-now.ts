/**
 * The method of a bus that sends before it returns, in place of at the end of the turn, for the
 * processors of OpenTelemetry. Registered, so that another copy of this package finds it; the number
 * counts changes of its meaning.
 */
export const pollNow: unique symbol = /* @__PURE__ */ Symbol.for("shardbus.pollNow.1");
