/** The texts of a JSON array's elements, exactly as they stand in it. */
export function splitJsonArray(text: string): string[] {
  const elements: string[] = [];
  let start = 1;
  let depth = 0;
  // Strings are skipped whole: what looks like punctuation inside them is none.
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},]/gs)) {
    if (token === "[" || token === "{") depth++;
    else if (token === "}" || (token === "]" && depth > 1)) depth--;
    else if (depth === 1 && (token === "," || token === "]")) {
      elements.push(text.slice(start, index));
      start = index + 1;
    }
  }
  return elements;
}
