import type { Batch } from "../batch.js";
import { callable, checkUrl, DeliveryError, flag } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import type { FetchResponse, Url } from "../util/platform.js";
import { baseOf, checkClient, checkSinkOptions, finishAnswer } from "./events.js";
import { httpSink } from "./http.js";
import { objectKey } from "./r2.js";
import type { SigningClient } from "./signing-client.js";

export type { SigningClient } from "./signing-client.js";

/** Options of an {@linkcode s3Sink}. */
export interface S3SinkOptions<T = unknown> {
  /**
   * The key of a batch's object. It must be the same for the same batch, and another for any other.
   * @default objectKey of `shardbus/sinks/r2`
   */
  readonly key?: ((batch: Batch<T>) => string) | undefined;
  /**
   * Stores objects compressed, with `gzip` as their content encoding.
   * @default false
   */
  readonly gzip?: boolean | undefined;
}

const schema = { key: callable, gzip: flag };

/** Codes of refusals that pass, although their statuses are 400, 403 and 409. */
const PASSING =
  /<Code>(RequestTimeout|RequestTimeTooSkewed|ExpiredToken|TokenRefreshRequired|OperationAborted)</;

/**
 * Writes each batch as one object to a bucket of S3, or of any store with its interface, with the
 * batch's content type. A batch that is sent again overwrites its object with the same, so that
 * nothing is there twice. A shard's objects, in the order of their keys, have its events in order.
 *
 * Answers count as those of `httpSink` do, but for refusals of S3 that pass, such as that of a request
 * that came too slowly or of credentials that have run out: the batch waits until they do.
 *
 * @example
 * ```ts
 * const client = new AwsClient({ accessKeyId, secretAccessKey, retries: 0 });
 * const bus = new EventBus(s3Sink(client, "https://my-bucket.s3.eu-central-1.amazonaws.com"));
 * ```
 * @param client an `AwsClient` of aws4fetch, or another one that signs. The bus retries, so it need
 * not.
 * @param bucket the bucket's address.
 * @throws {InvalidOptionError} if an argument or option has a wrong name or type.
 */
export function s3Sink<T = unknown>(
  client: SigningClient,
  bucket: string | Url,
  options: S3SinkOptions<T> = {},
): DeliveryCallback<T> {
  checkClient("client", client, "fetch", "an `AwsClient` of aws4fetch");
  const { key = objectKey, gzip } = checkSinkOptions(options, schema);
  const base = baseOf("bucket", checkUrl(bucket, "bucket").href);
  return httpSink((batch) => `${base}/${key(batch).split("/").map(encodeURIComponent).join("/")}`, {
    gzip,
    init: { method: "PUT" },
    check,
    fetch: (url, init) => client.fetch(String(url), init),
  });
}

async function check(response: FetchResponse): Promise<void> {
  if (response.ok) return;
  const [, code] = PASSING.exec(await response.text().catch(() => "")) ?? [];
  await finishAnswer(response);
  const error = DeliveryError.fromResponse(response);
  if (code === undefined) throw error;
  const { message, status } = error;
  throw new DeliveryError(`${message}: ${code}`, { status, unavailable: true });
}
