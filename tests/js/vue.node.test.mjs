// @ts-check
// Buses among the data of a Vue component, which makes proxies of it. Node only: Vue is.
import { EventBus } from "shardbus";
import { reactive, ref } from "vue";
import { assert, recorder, test } from "./harness.mjs";

test("a bus among reactive data takes events", async () => {
  const sink = recorder();
  const state = reactive({ bus: new EventBus(sink.callback) });
  const counter = ref(new EventBus(sink.callback));
  assert.isTrue(state.bus.ingest("data"));
  state.bus.emit("emitted");
  counter.value.emit("ref");
  await Promise.all([state.bus.close(), counter.value.close()]);
  assert.sameMembers(sink.delivered(), ["data", "emitted", "ref"]);
});
