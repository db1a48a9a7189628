// Buses in React's StrictMode, which runs each effect, its cleanup, and the effect again.
import { createElement, StrictMode, useEffect, useState } from "react";
import { act, create } from "react-test-renderer";
import { EventBus } from "shardbus";
import { assert, recorder, test } from "./harness.mjs";

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

/** Renders a component in StrictMode, and takes it away. @param {() => null} component */
async function mount(component) {
  const error = console.error;
  // That this renderer is deprecated.
  console.error = () => {};
  try {
    /** @type {any} */
    let root;
    await act(async () => {
      root = create(createElement(StrictMode, null, createElement(component)));
    });
    await act(async () => root.unmount());
  } finally {
    console.error = error;
  }
}

test("a bus of the page, made when it is first needed, takes what every effect emits", async () => {
  const sink = recorder();
  /** @type {EventBus | undefined} */
  let bus;
  const emit = (/** @type {unknown} */ event) => {
    bus ??= new EventBus(sink.callback);
    bus.emit(event);
  };
  await mount(() => {
    useEffect(() => emit("view"), []);
    return null;
  });
  await bus?.close();
  assert.deepEqual(sink.delivered(), ["view", "view"]);
});

test("a component's own bus, made in the effect that closes it, takes its events", async () => {
  const sink = recorder();
  await mount(() => {
    useEffect(() => {
      const bus = new EventBus(sink.callback);
      bus.emit("view");
      return () => void bus.close();
    }, []);
    return null;
  });
  await sink.calls(2);
  assert.deepEqual(sink.delivered(), ["view", "view"]);
});

test("the losses of a bus that StrictMode closes are reported, and nothing throws", async () => {
  const sink = recorder();
  /** @type {string[]} */
  const told = [];
  await mount(() => {
    const [bus] = useState(
      () => new EventBus(sink.callback, { onDrop: ({ reason }) => told.push(reason) }),
    );
    useEffect(() => {
      bus.emit("view");
      return () => void bus.close();
    }, [bus]);
    return null;
  });
  await sink.calls(1);
  assert.deepEqual(sink.delivered(), ["view"]);
  assert.deepEqual(told, ["closed"]);
});
