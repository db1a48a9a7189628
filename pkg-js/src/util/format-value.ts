// Values in messages. Nothing here throws, though a value's own code may.

/** A value, short. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  return isArray(value) ? "an array" : "an object";
}

/** `Array.isArray`, which throws for a proxy that was revoked. */
function isArray(value: object): boolean {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

/** Most characters of a stranger's text. */
const MAX_LENGTH = 300;

/**
 * Text that others may have written, on one line and short: it ends in terminals and logs, which
 * obey control characters.
 */
export function plain(text: string): string {
  const printable = text.replace(/[^ -~\u00a0-\u2027\u202f-\u2065\u206a-\uffff]+/g, " ").trim();
  return printable.length > MAX_LENGTH ? `${printable.slice(0, MAX_LENGTH)}…` : printable;
}

/** The message of an error and of its cause: `fetch` says only there why it failed. */
export function reasonOf(error: unknown): string {
  const message = messageOrCode(error);
  try {
    const { cause } = error as Error;
    const reason = cause instanceof Error ? messageOrCode(cause) : "";
    return plain(message.includes(reason) ? message : `${message}: ${reason}`);
  } catch {
    return plain(message);
  }
}

/** An error that stands for several, one for each address of a host, has a code and no message. */
function messageOrCode(error: unknown): string {
  try {
    return messageOf(error) || String((error as { code?: unknown }).code ?? "");
  } catch {
    return "";
  }
}

/** The message of an error, or of any other thrown value. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return "what was thrown cannot be shown";
  }
}
