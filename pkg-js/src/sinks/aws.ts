// Sinks for AWS, whose services answer for each event. S3 has an entry of its own.
export { firehoseSink } from "./firehose.js";
export { type KinesisSinkOptions, kinesisSink } from "./kinesis.js";
export type { SigningClient } from "./signing-client.js";
export { sqsSink } from "./sqs.js";
