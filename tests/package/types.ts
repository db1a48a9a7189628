import { EventBus } from "shardbus";
import { initialize, EventBus as SlimEventBus } from "shardbus/slim";

interface Click {
  user: string;
}

const send = async (users: string[]): Promise<void> => console.log(users);

export const bus = new EventBus<Click>((batch) => send(batch.events().map(({ user }) => user)));
export const accepted: boolean = bus.ingest({ user: "a" });
// @ts-expect-error an event of another shape
bus.ingest({ name: "a" });

export function start(module: WebAssembly.Module): SlimEventBus<Click> {
  initialize(module);
  return new SlimEventBus<Click>((batch) => send([batch.id]));
}
