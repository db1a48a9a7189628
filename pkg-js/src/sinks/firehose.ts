import type { DeliveryCallback } from "../options.js";
import type { Url } from "../util/platform.js";
import { putSink } from "./aws-call.js";
import { checkName } from "./events.js";
import { failedRecords, type RecordAnswer } from "./kinesis.js";
import type { SigningClient } from "./signing-client.js";
import { toBase64 } from "./to-base64.js";

/**
 * Puts each event as a line of JSON into a stream of Amazon Data Firehose; as many at once as Firehose
 * takes, 500 records or 4 MiB. Records that Firehose could not take are sent again, alone.
 *
 * A line has no id, and may come twice: give your events one.
 *
 * @example
 * ```ts
 * const client = new AwsClient({ accessKeyId, secretAccessKey, retries: 0 });
 * const bus = new EventBus(firehoseSink(client, "https://firehose.eu-central-1.amazonaws.com", "clicks"));
 * ```
 * @param client an `AwsClient` of aws4fetch, or another one that signs. The bus retries, so it need
 * not.
 * @param url the address of Firehose in your region.
 * @param stream the stream's name.
 * @throws {InvalidOptionError} if an argument has a wrong type.
 */
export function firehoseSink(
  client: SigningClient,
  url: string | Url,
  stream: string,
): DeliveryCallback {
  checkName("stream", stream);
  return putSink(client, {
    url,
    target: "Firehose_20150804.PutRecordBatch",
    contentType: "application/x-amz-json-1.1",
    maxCount: 500,
    // 4 MiB of data, which base64 makes longer by a third.
    maxBytes: 4_000_000,
    entry: (json) => ({ Data: toBase64(`${json}\n`) }),
    parameters: (Records) => ({ DeliveryStreamName: stream, Records }),
    failures: (answer, call) =>
      failedRecords((answer as PutRecordBatchAnswer).RequestResponses, call),
  });
}

/** The used part of an answer. */
interface PutRecordBatchAnswer {
  readonly RequestResponses?: readonly RecordAnswer[];
}
