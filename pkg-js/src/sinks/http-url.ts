/** The URL with the batch's id in its query. A fragment, and an id in it, would not be sent. */
export function withId(url: string | URL, id: string): string {
  const [address = ""] = String(url).split("#");
  return `${address}${address.includes("?") ? "&" : "?"}id=${id}`;
}
