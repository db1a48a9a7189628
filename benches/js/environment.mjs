import { readFileSync } from "node:fs";
import os from "node:os";

/** The machine and the runtime of a measurement. */
export function environment() {
  const lock = JSON.parse(readFileSync(new URL("package-lock.json", import.meta.url), "utf8"));
  const { devDependencies } = lock.packages[""];
  const version = (name) => lock.packages[`node_modules/${name}`].version;
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: os.cpus()[0]?.model ?? "an unknown CPU",
    cores: os.cpus().length,
    memoryBytes: os.totalmem(),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    load: os.loadavg()[0],
    node: process.versions.node,
    v8: process.versions.v8,
    packages: Object.fromEntries(Object.keys(devDependencies).map((name) => [name, version(name)])),
  };
}
