import { InvalidOptionError, show } from "../internal.js";

/**
 * Checks that `fetch` can send to a URL.
 *
 * @throws {InvalidOptionError} if it cannot, whatever the receiver does.
 */
export function checkUrl(url: unknown): void {
  const fault = faultOf(url);
  if (fault !== undefined) throw new InvalidOptionError("url", `\`url\` is ${show(url)}, ${fault}`);
}

function faultOf(url: unknown): string | undefined {
  if (typeof url !== "string" && !(url instanceof URL)) {
    return "but it must be a URL or a function of the batch";
  }
  const parsed = parse(url);
  if (parsed === undefined) return "which is not whole: it has to begin with https:// or http://";
  if (!/^https?:$/.test(parsed.protocol)) return "but it must begin with https:// or http://";
  if (parsed.username !== "" || parsed.password !== "") {
    return "with credentials in it, which `fetch` refuses: send the header `authorization`";
  }
  return undefined;
}

/** A URL as `fetch` takes it: relative to the page's, where there is one. */
function parse(url: string | URL): URL | undefined {
  for (const base of [() => undefined, () => document.baseURI, () => location.href]) {
    try {
      if (url !== "") return new URL(url, base());
    } catch {
      // It is relative, or there is no such base here.
    }
  }
  return undefined;
}

/** The URL with the batch's id in its query. A fragment, and an id in it, would not be sent. */
export function withId(url: string | URL, id: string): string {
  const [address = ""] = String(url).split("#");
  return `${address}${address.includes("?") ? "&" : "?"}id=${id}`;
}
