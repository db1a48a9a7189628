// @ts-check
import { readFile } from "node:fs/promises";
import { extname } from "node:path";

/** @type {{ [extension: string]: string }} */
const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

/** Answers with a file, or with 404 if there is none. @param {import("node:http").ServerResponse} response @param {URL} file */
export async function sendFile(response, file) {
  try {
    const content = await readFile(file);
    response.setHeader("content-type", TYPES[extname(file.pathname)] ?? "application/octet-stream");
    response.end(content);
  } catch {
    response.writeHead(404).end();
  }
}
