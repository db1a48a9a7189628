import type { Batch } from "../batch.js";
import { checkUrl, DeliveryError } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import type { FetchResponse, Url } from "../util/platform.js";
import { checkSinkOptions } from "./events.js";
import {
  checkSendable,
  jsonTexts,
  type PresetOptions,
  presetSchema,
  presetSink,
  refuseByStatus,
  required,
  text,
  texts,
} from "./preset.js";

/** Options of a {@linkcode clickhouseSink}. */
export interface ClickHouseOptions extends PresetOptions {
  readonly table: string;
  readonly database?: string | undefined;
  /** @default "default" */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** More settings of the insert, such as `{ input_format_skip_unknown_fields: "1" }`. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
}

const schema = {
  ...presetSchema,
  table: text,
  database: text,
  user: text,
  password: text,
  settings: texts,
};

/**
 * The codes of rows that cannot be read: texts, numbers, dates, arrays, unknown fields and the like. One
 * such row has the whole insert refused.
 */
const BAD_ROWS = [
  6, 16, 25, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 130, 131, 321, 349, 376, 441, 467, 469, 675,
  676, 691,
];
/** The code of a user who may only read. */
const READONLY = 164;
/** The codes of a server that has too much to do, or of a table that is read-only for now. */
const BUSY = [159, 201, 202, 203, 209, 210, 241, 242, 243, 252, 319, 425, 999];

/**
 * Inserts into a table of ClickHouse by `JSONEachRow`. The batch's id is the insert's deduplication
 * token, so a batch that is sent again is there once, if the table deduplicates (replicated tables
 * do, others with `non_replicated_deduplication_window`). An insert with a bad row is split, until
 * that row is abandoned alone.
 *
 * @example
 * ```ts
 * const bus = new EventBus(clickhouseSink("http://clickhouse:8123", { table: "clicks" }));
 * ```
 */
export function clickhouseSink(url: string | Url, options: ClickHouseOptions): DeliveryCallback {
  const own = checkSinkOptions(options, schema);
  const { table, database, user = "default", password = "", settings = {} } = own;
  required("table", table);
  checkSendable("user", user);
  checkSendable("password", password);
  const base = checkUrl(url);
  const target = (batch: Batch) => {
    const address = new URL(base);
    const query = `INSERT INTO ${quoted(table)} FORMAT JSONEachRow`;
    const parameters = { ...settings, query, insert_deduplication_token: batch.id };
    for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
    if (database !== undefined) address.searchParams.set("database", database);
    return address.href;
  };
  const headers = {
    "content-type": "application/x-ndjson",
    "x-clickhouse-user": user,
    "x-clickhouse-key": password,
  };
  const encode = (batch: Batch) => {
    // It takes commas between rows, so that a row may look like two.
    jsonTexts(batch);
    return batch.body;
  };
  return presetSink(target, own, { headers, encode, refuse });
}

/** A name as ClickHouse's SQL quotes it. */
const quoted = (name: string): string =>
  `\`${name.replaceAll("\\", "\\\\").replaceAll("`", "\\`")}\``;

async function refuse(response: FetchResponse, batch: Batch): Promise<never> {
  const { status, headers } = response;
  const code = Number(headers.get("x-clickhouse-exception-code"));
  const sentence = `ClickHouse refused the insert with the code ${code}`;
  if (BAD_ROWS.includes(code)) throw new DeliveryError(sentence, { split: true, status });
  if (code === READONLY) throw new DeliveryError(sentence, { retryable: false, status });
  if (BUSY.includes(code)) throw new DeliveryError(sentence, { unavailable: true, status });
  return refuseByStatus(response, batch);
}
