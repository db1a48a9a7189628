import { tryAll } from "./configurations.mjs";

tryAll("typescript-7");
