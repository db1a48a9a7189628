// @ts-check
import { startServer } from "./server.mjs";

const { url } = await startServer(Number(process.env.PORT ?? 8080));
console.log(`Open ${url}`);
