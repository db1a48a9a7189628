/**
 * The method of a bus that puts a function around its callback: for `observeBus`, which times
 * attempts by it, so that only its users carry the code. Registered, so that another copy of this
 * package finds it; the number counts changes of its meaning.
 */
export const wrapCallback: unique symbol = /* @__PURE__ */ Symbol.for("shardbus.wrapCallback.1");
