import { type Check, DeliveryError, guardGetters, messageOf, plain } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import type { Signal } from "../util/platform.js";
import { checkClient, checkName, checkSinkOptions } from "./events.js";

/** The part of a client that a {@linkcode postgresSink} uses. */
export type PostgresClient =
  /** As the package `postgres` makes it. */
  | { unsafe(statement: string, parameters: string[]): PostgresQuery }
  /** A client or pool of `pg`, and others with its `query`. */
  | { query(statement: string, parameters: string[]): PromiseLike<unknown> };

/** A statement that a client runs. */
export interface PostgresQuery extends PromiseLike<unknown> {
  /** Ends it, or takes it out of the client's queue. */
  cancel?(): unknown;
}

/** Options of a {@linkcode postgresSink}. */
export interface PostgresSinkOptions {
  /** The table's schema. By default the connection's search path decides. */
  readonly schema?: string | undefined;
  /**
   * The columns that get the fields of their names, each converted to its column's type. By default
   * the column `event` gets the whole event.
   */
  readonly columns?: readonly string[] | undefined;
}

const columns: Check = (value) =>
  Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === "string")
    ? undefined
    : "must be an array of at least one column's name";

const schema = {
  schema: (value: unknown) => (typeof value === "string" ? undefined : "must be a string"),
  columns,
};

/**
 * Inserts each event as a row of a PostgreSQL table, with its id in the column `id`, which must be
 * the primary key or unique: a row that is there already is left as it is, so an event that is sent
 * again is there once. A batch is one statement: all of it is inserted, or nothing.
 *
 * A batch with a row that the table refuses, such as one without a value for a `NOT NULL` column, is
 * split until that row is abandoned alone. Refused permissions and missing tables and columns are
 * permanent. Lost connections, and servers that start, stop, fail over or are full, are retried.
 *
 * @example
 * ```ts
 * const sql = postgres("postgres://localhost/shop");
 * await sql`CREATE TABLE IF NOT EXISTS events (id text PRIMARY KEY, event jsonb NOT NULL)`;
 * const bus = new EventBus(postgresSink(sql, "events"));
 * ```
 * @param client of `postgres`, or a pool of `pg`. Closing it is yours, after the bus.
 * @throws {InvalidOptionError} if an argument or option has a wrong name or type.
 */
export function postgresSink(
  client: PostgresClient,
  table: string,
  options: PostgresSinkOptions = {},
): DeliveryCallback {
  const run = runner(client);
  checkName("table", table);
  const statement = insertion(table, checkSinkOptions(options, schema));
  return async (batch, { signal }) => {
    const events = [...batch];
    const ids = events.map((_, i) => batch.eventId(i));
    try {
      await run(statement, [JSON.stringify(ids), JSON.stringify(events)], signal);
    } catch (error) {
      throw toVerdict(error);
    }
  };
}

type Runner = (statement: string, parameters: string[], signal: Signal) => Promise<unknown>;

function runner(client: PostgresClient): Runner {
  const isPostgres = guardGetters(() => typeof (client as { unsafe?: unknown } | null)?.unsafe);
  if (isPostgres !== "function") {
    checkClient("client", client, "query", "a client of `postgres`, or a pool of `pg`");
  }
  return async (statement, parameters, signal) => {
    if (!("unsafe" in client)) return client.query(statement, parameters);
    const query = client.unsafe(statement, parameters);
    // A client that is not connected would keep the statement, and send it beside the next attempt's.
    const cancel = () => {
      catchCanceller(query as object);
      query.cancel?.();
    };
    signal.addEventListener("abort", cancel);
    try {
      return await query;
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  };
}

/**
 * Has `cancel` of the package `postgres` ask the server without effect where it cannot be reached. The
 * package drops the promise of that request, so that its rejection would end the process.
 */
function catchCanceller(query: { canceller?: unknown }): void {
  const { canceller } = query;
  if (typeof canceller !== "function") return;
  query.canceller = async (it: unknown) => {
    try {
      await canceller(it);
    } catch {
      // The attempt has failed already, and the next one finds out whether the server is back.
    }
  };
}

/**
 * The statement. Its parameters are texts, because clients differ in their forms of arrays: ids and
 * events, each as a JSON array of strings.
 */
function insertion(table: string, { schema, columns }: PostgresSinkOptions): string {
  const target = schema === undefined ? quoted(table) : `${quoted(schema)}.${quoted(table)}`;
  const rows =
    "ROWS FROM (json_array_elements_text($1::text::json), json_array_elements_text($2::text::json)) AS batch(id, event)";
  const names = columns?.map(quoted) ?? ['"event"'];
  const values = columns ? names.map((name) => `r.${name}`) : ["event::jsonb"];
  const fields = columns ? `, jsonb_populate_record(NULL::${target}, event::jsonb) AS r` : "";
  return (
    `INSERT INTO ${target} ("id", ${names.join(", ")}) ` +
    `SELECT batch.id, ${values.join(", ")} FROM ${rows}${fields} ON CONFLICT ("id") DO NOTHING`
  );
}

/** A name as SQL quotes it. */
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** An SQLSTATE; other codes are the client's, and of the connection. */
const SQLSTATE = /^[\dFHPX][\dA-Z]{4}$/;
/** Bad data, constraints that it breaks, a row that is too large, a view's check, a trigger's own errors. */
const BAD_ROW = /^(22|23|54|44|P0)/;
/**
 * Of the connection, a server that is read-only for now, a conflict of transactions, resources, locks, the
 * operator, the system.
 */
const PASSING = /^(08|25|40|53|55|57|58)/;
/** Authentication, and names that do not exist or are forbidden. */
const PERMANENT = /^(28|3|42)/;

function toVerdict(error: unknown): DeliveryError {
  const code = guardGetters(() => `${(error as { code?: unknown } | null)?.code}`);
  const hasAnswered = SQLSTATE.test(code);
  const sentence = `PostgreSQL did not take the batch: ${plain(messageOf(error))}`;
  return new DeliveryError(sentence, {
    cause: error,
    split: BAD_ROW.test(code),
    retryable: !PERMANENT.test(code),
    unavailable: !hasAnswered || PASSING.test(code),
  });
}
