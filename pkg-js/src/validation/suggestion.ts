import type { Schema } from "./schema.js";

/** Asks whether an option was meant that resembles `name`, within a sentence; nothing, if none does. */
export function suggestion(name: string, schema: Schema, path: string): string {
  const likeness = (option: string): number => {
    const leaf = option.slice(option.lastIndexOf(".") + 1);
    return Math.max(resemblance(name, leaf), resemblance(name, option.replaceAll(".", "")));
  };
  const options = leaves(schema);
  const most = Math.max(...options.map(likeness));
  if (most < 0.6) return "";
  const best = options.filter((option) => likeness(option) === most);
  return ` (did you mean ${best.map((option) => `\`${path}${option}\``).join(" or ")}?)`;
}

const leaves = (schema: Schema): string[] =>
  Object.entries(schema).flatMap(([name, rule]) =>
    typeof rule === "object" ? [name, ...leaves(rule).map((inner) => `${name}.${inner}`)] : [name],
  );

/** The share of pairs of letters that two names have in common: from 0 to 1. */
function resemblance(one: string, other: string): number {
  const [pairs, others] = [one, other].map(pairsOf) as [string[], string[]];
  const common = pairs.filter((pair) => others.includes(pair)).length;
  return (2 * common) / (pairs.length + others.length || 1);
}

const pairsOf = (name: string): string[] =>
  Array.from({ length: Math.max(0, name.length - 1) }, (_, i) =>
    name.slice(i, i + 2).toLowerCase(),
  );
