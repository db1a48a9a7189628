// @ts-check
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

const DIST = new URL("../../pkg-js/dist/", import.meta.url);

test("the types of other entries do without OpenTelemetry's", () => {
  const files = readdirSync(DIST, { recursive: true }).map((file) => String(file));
  const declarations = files.filter((file) => /\.d\.c?ts$/.test(file));
  const naming = declarations.filter((file) =>
    readFileSync(new URL(file, DIST), "utf8").includes("@opentelemetry/"),
  );
  assert.deepEqual(naming.sort(), [
    "opentelemetry/index.d.cts",
    "opentelemetry/index.d.ts",
    "otel.d.cts",
    "otel.d.ts",
  ]);
});
