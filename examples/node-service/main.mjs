// @ts-check

// The service, and a collector for it that is down at first.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Collector } from "./collector.mjs";

const collector = new Collector();
collector.refusals = 12;
const env = { ...process.env, COLLECTOR: await collector.listen() };
const program = fileURLToPath(new URL("service.mjs", import.meta.url));
const service = spawn(process.execPath, [program], { env, stdio: "inherit" });

// Ctrl-C reaches both. The collector stays as long as the service has something to send.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => service.kill());
await once(service, "exit");
console.log(`The collector has ${collector.events.length} events.`);
await collector.close();
