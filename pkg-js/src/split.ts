/** The texts of a JSON array's elements, exactly as they stand in it. */
export function splitJsonArray(text: string): string[] {
  const elements: string[] = [];
  let start = 1;
  let depth = 0;
  let quoted = false;
  // Token by token: a pattern for whole strings would exhaust the stack on long ones.
  for (const { 0: token, index } of text.matchAll(/["[\]{},]|\\./gs)) {
    if (token === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (token === "[" || token === "{") depth++;
    else if (token === "}" || (token === "]" && depth > 1)) depth--;
    else if (depth === 1 && (token === "," || token === "]")) {
      elements.push(text.slice(start, index));
      start = index + 1;
    }
  }
  return elements;
}
