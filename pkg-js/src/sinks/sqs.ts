import { checkUrl, idStem } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import type { Url } from "../util/platform.js";
import { type Call, type Failure, isPassing, putSink } from "./aws-call.js";
import type { SigningClient } from "./signing-client.js";

/**
 * Sends each event as a message to a queue of Amazon SQS, with its JSON text as the body, and its id
 * as the attribute `id`; ten messages at once, which is all that SQS takes.
 *
 * A FIFO queue leaves out repetitions within five minutes, and has each shard as a message group, in
 * order. Of any other queue the consumer notices repetitions, by `id`.
 *
 * Messages that SQS refuses are abandoned alone, each with its error; those that it could not take
 * for a reason of its own are sent again.
 *
 * @example
 * ```ts
 * const client = new AwsClient({ accessKeyId, secretAccessKey, retries: 0 });
 * const bus = new EventBus(sqsSink(client, "https://sqs.eu-central-1.amazonaws.com/123456789012/clicks"));
 * ```
 * @param client an `AwsClient` of aws4fetch, or another one that signs. The bus retries, so it need
 * not.
 * @throws {InvalidOptionError} if an argument has a wrong type.
 */
export function sqsSink(client: SigningClient, queueUrl: string | Url): DeliveryCallback {
  const { href, origin, pathname } = checkUrl(queueUrl, "queueUrl");
  const isFifo = pathname.endsWith(".fifo");
  return putSink(client, {
    url: `${origin}/`,
    target: "AmazonSQS.SendMessageBatch",
    contentType: "application/x-amz-json-1.0",
    maxCount: 10,
    // A MiB, of bodies and attributes.
    maxBytes: 1_000_000,
    entry(json, index, batch) {
      const id = batch.eventId(index);
      return {
        Id: `${index}`,
        MessageBody: json,
        MessageAttributes: { id: { DataType: "String", StringValue: id } },
        ...(isFifo && { MessageGroupId: idStem(id), MessageDeduplicationId: id }),
      };
    },
    parameters: (Entries) => ({ QueueUrl: href, Entries }),
    failures: (answer, call) => failures(answer as SendMessageBatchAnswer, call),
  });
}

/** The used part of an answer. */
interface SendMessageBatchAnswer {
  readonly Successful?: readonly { readonly Id: string }[];
  readonly Failed?: readonly {
    readonly Id: string;
    readonly SenderFault: boolean;
    readonly Code: string;
    readonly Message?: string;
  }[];
}

function* failures(
  { Successful = [], Failed = [] }: SendMessageBatchAnswer,
  { start, end }: Call,
): Generator<Failure> {
  const sent = new Set(Successful.map(({ Id }) => Id));
  const failed = new Map(Failed.map((failure) => [failure.Id, failure]));
  for (let index = start; index < end; index++) {
    const id = `${index}`;
    if (sent.has(id)) continue;
    const { Code: code = "no answer", Message: message, SenderFault } = failed.get(id) ?? {};
    yield { index, code, message, isFinal: SenderFault === true && !isPassing(code) };
  }
}
