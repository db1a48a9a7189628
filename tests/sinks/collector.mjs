// @ts-check

// An HTTP collector that is killed: `node collector.mjs PORT DIRECTORY`. It answers once a batch is in
// its file.
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const [port, directory = "."] = process.argv.slice(2);
const file = join(directory, "batches.ndjson");
// A line that was cut off by the end of its process ends here.
appendFileSync(file, "\n");

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const isGzip = request.headers["content-encoding"] === "gzip";
  const body = isGzip ? gunzipSync(Buffer.concat(chunks)) : Buffer.concat(chunks);
  const id = request.headers["idempotency-key"];
  appendFileSync(file, `${JSON.stringify({ id, body: `${body}` })}\n`);
  response.end();
}).listen(Number(port), "127.0.0.1");
