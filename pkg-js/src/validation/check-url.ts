import { InvalidOptionError } from "../errors/invalid-option-error.js";
import { show } from "../util/format-value.js";

/**
 * Checks that `fetch` can send to the URL of an argument, and returns it whole.
 *
 * @throws {InvalidOptionError} if it cannot, whatever the receiver does.
 */
export function checkUrl(url: unknown, argument = "url"): URL {
  const wrong = (fault: string) =>
    new InvalidOptionError(argument, `\`${argument}\` is ${show(url)}, ${fault}`);
  if (typeof url !== "string" && !(url instanceof URL)) {
    throw wrong("but it must be a URL");
  }
  const parsed = parse(url);
  if (parsed === undefined) {
    throw wrong("which is not whole: it has to begin with https:// or http://");
  }
  if (!/^https?:$/.test(parsed.protocol)) {
    throw wrong("but it must begin with https:// or http://");
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw wrong("with credentials in it, which `fetch` refuses: send the header `authorization`");
  }
  return parsed;
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
