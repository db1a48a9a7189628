// @ts-check

// One fixture's copy, and the operations on it.
import { cp, readdir, readFile, rm } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { deferred } from "../js/harness.mjs";
import { freePort } from "../loopback.mjs";
import { serveDirectory } from "./pages.mjs";
import { environment, runProgram, startServer } from "./programs.mjs";

const shared = fileURLToPath(new URL("shared/", import.meta.url));

/** @typedef {{ stop: () => Promise<void> }} Stoppable */

export class Project {
  /** @type {Stoppable[]} */
  #running = [];
  /** Rejects if a page has an error: there is nothing to wait for then. */
  #failed = deferred();
  /** The servers' output, to show if a step fails. @type {(() => string)[]} */
  #told = [];
  /** @type {string[]} */
  #sources = [];
  #directory;
  #work;
  #collector;
  #browser;

  /**
   * @param {string} work where the tools are
   * @param {string} directory where the fixture's copy is, below it
   * @param {Awaited<ReturnType<typeof import("./collector.mjs").startCollector>>} collector
   * @param {import("./pages.mjs").Browser} browser
   */
  constructor(work, directory, collector, browser) {
    this.#work = work;
    this.#directory = directory;
    this.#collector = collector;
    this.#browser = browser;
    // It may come when nobody waits.
    this.#failed.promise.catch(() => {});
  }

  /** The collector's address. */
  get collector() {
    return this.#collector.url;
  }

  /**
   * Copies the fixture, the files that it shares with others, and the installed package.
   *
   * @param {string} fixture
   * @param {string[]} copies names in `shared`; of a directory, its contents
   * @param {string} modules
   */
  async create(fixture, copies, modules) {
    await rm(this.#directory, { recursive: true, force: true });
    await cp(fixture, this.#directory, { recursive: true });
    for (const name of copies) {
      const to = name.includes(".") ? join(this.#directory, name) : this.#directory;
      await cp(join(shared, name), to, { recursive: true });
    }
    await cp(modules, join(this.#directory, "node_modules"), { recursive: true });
  }

  /** @param {string} from @param {string} to */
  async copy(from, to) {
    await cp(join(this.#directory, from), join(this.#directory, to));
  }

  /** @param {string} path */
  async readJson(path) {
    return JSON.parse(await readFile(join(this.#directory, path), "utf8"));
  }

  /** @param {string} path */
  async remove(path) {
    await rm(join(this.#directory, path), { recursive: true });
  }

  /** @param {string} program @param {string[]} args @param {Record<string, string>} [env] */
  #command(program, args, env = {}) {
    const isPath = program.includes(sep);
    const path = isPath ? program : join(this.#work, "node_modules/.bin", program);
    const all = { ...environment(this.#work), COLLECTOR: this.collector, ...env };
    return /** @type {const} */ ([path, args, { cwd: this.#directory, env: all }]);
  }

  /**
   * Runs a program to its end: one of the tools, or a path.
   *
   * @param {string} program
   * @param {string[]} args
   * @param {Record<string, string>} [env]
   */
  async exec(program, args, env) {
    await runProgram(...this.#command(program, args, env));
  }

  /**
   * Starts a server, and returns its address.
   *
   * @param {string} program
   * @param {string[]} args
   */
  async serve(program, args) {
    const server = await startServer(...this.#command(program, args));
    this.#running.push(server);
    this.#told.push(server.output);
    return server.url;
  }

  /** Serves files, and returns the address. @param {string} directory */
  async serveDirectory(directory) {
    const server = await serveDirectory(join(this.#directory, directory));
    this.#running.push(server);
    return server.url;
  }

  /** A port that nobody listens on, for programs that cannot pick one themselves. */
  freePort() {
    return freePort();
  }

  /** @param {string} url */
  #withCollector(url) {
    return `${url}?collector=${encodeURIComponent(this.collector)}`;
  }

  /** Opens a page in Chromium. @param {string} url */
  async visit(url) {
    const onError = (/** @type {string} */ error) =>
      this.#failed.reject(new Error(`the page says ${error}`));
    this.#running.push(await this.#browser.visit(this.#withCollector(url), onError));
  }

  /** Asks a server. @param {string} url */
  async request(url) {
    const response = await fetch(this.#withCollector(url));
    if (!response.ok) throw new Error(`${url} answers ${response.status} ${await response.text()}`);
  }

  /** Waits for the events of these sources. @param {string[]} sources */
  async receives(...sources) {
    this.#sources = sources;
    await Promise.race([this.#collector.waitFor(sources), this.#failed.promise]);
  }

  /**
   * The size after gzip of all files that match patterns, in bytes.
   *
   * @param {string[]} patterns paths, in which `*` stands for a part of a name
   */
  async gzipSize(...patterns) {
    const entries = await readdir(join(this.#directory, "dist"), {
      recursive: true,
      withFileTypes: true,
    });
    const paths = entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(this.#directory, join(entry.parentPath, entry.name)));
    let size = 0;
    for (const pattern of patterns) {
      const escaped = pattern.replaceAll(".", "\\.").replaceAll("*", "[^/]*");
      const found = paths.filter((path) => new RegExp(`^${escaped}$`).test(path));
      if (found.length === 0) throw new Error(`no ${pattern} among ${paths.join(", ")}`);
      for (const path of found) {
        size += gzipSync(await readFile(join(this.#directory, path)), { level: 9 }).length;
      }
    }
    return size;
  }

  /** The servers' output. */
  told() {
    return this.#told.map((told) => told()).join("\n");
  }

  /** Ends all processes, and checks the collected events. */
  async end() {
    for (const { stop } of this.#running.splice(0).reverse()) await stop();
    this.#collector.assertExactlyOnce(this.#sources);
  }
}
