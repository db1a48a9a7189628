import { defineConfig } from "vitest/config";

const root = import.meta.dirname;

export default defineConfig({
  root,
  cacheDir: "../../../target/vitest",
  test: {
    watch: false,
    projects: [
      { root, test: { name: "node", environment: "node", include: ["clocks.vitest.mjs"] } },
      { root, test: { name: "happy-dom", environment: "happy-dom", include: ["*.vitest.mjs"] } },
    ],
  },
});
