// @ts-check

// Starts PostgreSQL, as servers.mjs starts other engines.
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import postgres from "postgres";
import { eventually } from "../js/harness.mjs";
import { startServer } from "./servers.mjs";

const START_MS = 30_000;

/** PostgreSQL, as it is by default; its superuser is `postgres`, without a password. */
export async function startPostgres() {
  const programs = await postgresPrograms();
  const owner = await postgresOwner();
  return startServer(
    join(programs, "postgres"),
    (port, directory) => {
      const where = ["-c", "listen_addresses=127.0.0.1", "-p", `${port}`, "-k", directory];
      return ["-D", join(directory, "data"), ...where];
    },
    {
      owner,
      // Ends its processes as they are; without their parent they would keep the files for a while.
      signal: "SIGQUIT",
      async prepare(directory) {
        const options = ["--username", "postgres", "--auth", "trust", "--no-sync"];
        const initdb = [...options, "--encoding", "UTF8", "-D", join(directory, "data")];
        await promisify(execFile)(join(programs, "initdb"), initdb, owner);
      },
    },
  );
}

/** The options of a client of `startPostgres`. @param {{ port: number }} server */
export const postgresAddress = ({ port }) =>
  /** @type {const} */ ({ port, host: "127.0.0.1", user: "postgres", database: "postgres" });

/** Connects to a server of `startPostgres`, once it has recovered its files. @param {{ port: number }} server */
export async function connectPostgres(server) {
  const sql = postgres({ ...postgresAddress(server), onnotice() {} });
  const isReady = () =>
    sql`SELECT`.then(
      () => true,
      () => false,
    );
  await eventually(isReady, () => "PostgreSQL does not get ready", START_MS);
  return sql;
}

/** Debian has the server's programs beside the PATH, in a folder for each version. */
async function postgresPrograms() {
  const versions = await readdir("/usr/lib/postgresql");
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  return `/usr/lib/postgresql/${newest}/bin`;
}

/** Root may not run the server: then Debian's user for it does. */
async function postgresOwner() {
  if (process.getuid?.() !== 0) return {};
  const users = await readFile("/etc/passwd", "utf8");
  const [uid, gid] = (/^postgres:[^:]*:(\d+):(\d+):/m.exec(users) ?? []).slice(1).map(Number);
  return { uid, gid };
}
