import { finishAnswer } from "./events.js";

/** The number of redirects that one attempt follows. */
const MAX_REDIRECTS = 3;

/** The statuses by which a receiver asks for the same request at another address. */
const SAME_REQUEST = [307, 308];

/**
 * Sends a request, and sends the same again where 307 and 308 lead. Other redirects would turn it
 * into a GET without its body.
 *
 * @param origins where a redirect may lead beside the origin that the request went to: all headers
 * go along.
 */
export async function sendThrough(
  send: (url: string | URL) => Promise<Response>,
  url: string | URL,
  origins: readonly string[],
): Promise<Response> {
  let target = url;
  for (let redirects = 0; ; redirects++) {
    const answer = await send(target);
    const next = redirects < MAX_REDIRECTS ? targetOf(answer, target, origins) : undefined;
    if (next === undefined) return answer;
    await finishAnswer(answer);
    target = next;
  }
}

/** The target of a redirect, if the same request may be sent there. */
function targetOf(
  { status, headers, url }: Response,
  from: string | URL,
  origins: readonly string[],
): URL | undefined {
  const location = SAME_REQUEST.includes(status) ? headers.get("location") : null;
  if (location === null) return undefined;
  try {
    const base = new URL(url || from);
    const target = new URL(location, base);
    return [base.origin, ...origins].includes(target.origin) ? target : undefined;
  } catch {
    return undefined;
  }
}
