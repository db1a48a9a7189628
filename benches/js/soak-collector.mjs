// The collector of the soak: an HTTP server that is down a third of the time, until it is told to
// stay up. It counts the events of each batch once, however often the batch comes.

import { createServer } from "node:http";

const UP_MS = 2000;
const DOWN_MS = 1000;

const seen = new Set();
let [events, requests, refused, repeated] = [0, 0, 0, 0];
let isDown = false;
let timer;

function alternate() {
  isDown = !isDown;
  timer = setTimeout(alternate, isDown ? DOWN_MS : UP_MS);
}

/** Events are lines. @param {Buffer} chunk */
function newlines(chunk) {
  let count = 0;
  for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) count++;
  return count;
}

const server = createServer((request, response) => {
  requests++;
  if (isDown) {
    refused++;
    // As a balancer without a backend, and as a machine that is gone.
    if (requests % 2 === 0) request.socket.destroy();
    else response.writeHead(503).end();
    return;
  }
  let lines = 1;
  request.on("data", (chunk) => {
    lines += newlines(chunk);
  });
  request.on("end", () => {
    const id = request.headers["idempotency-key"];
    if (seen.has(id)) repeated++;
    else events += lines;
    seen.add(id);
    response.end();
  });
});

process.on("message", (message) => {
  if (message === "fail") timer = setTimeout(alternate, UP_MS);
  if (message === "recover") {
    clearTimeout(timer);
    isDown = false;
    process.send("recovered");
  }
  if (message === "count") process.send({ events, requests, refused, repeated });
});
process.on("disconnect", () => process.exit());
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
