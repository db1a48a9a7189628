import { tryAll } from "./configurations.mjs";

tryAll("typescript-5.9");
