// @ts-check

// Installs the tools once for all fixtures, and the packed package.
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runProgram } from "./programs.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "../..");

/** The folder for copies of the fixtures; the tools are in its `node_modules`. */
export const work = join(root, "target/bundlers");

const npm = (/** @type {string} */ cwd, /** @type {string[]} */ ...args) =>
  runProgram("npm", [...args, "--no-audit", "--no-fund"], { cwd, env: {} });

/** Installs the versions that a lock file lists, unless they were installed last. */
async function installLocked(/** @type {string} */ source, /** @type {string} */ directory) {
  const lock = await readFile(join(source, "package-lock.json"), "utf8");
  const stamp = join(directory, "node_modules/.xtask-stamp");
  if ((await readFile(stamp, "utf8").catch(() => "")) === lock) return;
  console.log(`==> installing what ${join(source, "package-lock.json")} lists`);
  await mkdir(directory, { recursive: true });
  if (source !== directory) {
    for (const file of ["package.json", "package-lock.json"]) {
      await cp(join(source, file), join(directory, file));
    }
  }
  await npm(directory, "ci");
  await writeFile(stamp, lock);
}

/** Installs the tools, and the runtimes. */
export async function installTools() {
  await installLocked(here, work);
  const runtimes = join(here, "../runtimes");
  await installLocked(runtimes, runtimes);
}

/**
 * Packs the built package as `npm publish` would, and installs it into a project of its own.
 * Returns that project's `node_modules`, which each fixture gets a copy of: the package has no
 * dependencies that could differ.
 */
export async function installPackage() {
  const directory = join(work, "shardbus");
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory);
  await npm(root, "pack", "--workspace=pkg-js", `--pack-destination=${directory}`);
  const { version } = JSON.parse(await readFile(join(root, "pkg-js/package.json"), "utf8"));
  await writeFile(join(directory, "package.json"), "{}\n");
  await npm(directory, "install", "--offline", `./shardbus-${version}.tgz`);
  return join(directory, "node_modules");
}
