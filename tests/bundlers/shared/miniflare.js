// Runs a Worker in miniflare, with no bundler, and says where.
import { dirname } from "node:path";
import { Miniflare } from "miniflare";

const [scriptPath = "", modulesRoot = dirname(scriptPath)] = process.argv.slice(2);
const miniflare = new Miniflare({
  host: "127.0.0.1",
  compatibilityDate: "2026-01-01",
  modules: true,
  scriptPath,
  modulesRoot,
  modulesRules: [
    { type: "ESModule", include: ["**/*.js"] },
    { type: "CompiledWasm", include: ["**/*.wasm"] },
  ],
});
console.log(String(await miniflare.ready));
