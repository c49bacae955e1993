import type { Leaf } from "./canonical-text.ts";
import { keyOf, listAt, type Node } from "./syntax.ts";

/** Options that decide when and how often a step runs, and not what it makes. */
const BEHAVIOURS = new Set(["retry", "timeout", "maxParallel", "isolate", "resources", "cache", "shared"]);

/**
 * Blanks over the options of a step's decorator that do not count, with their commas. Where a step leads is the graph's
 * matter; which value leads where is a choice's own.
 */
export function blankedOptions(options: Node, kind: "step" | "join" | "choose"): readonly Leaf[] {
  const properties = listAt(options, "properties");
  if (properties.some((property) => property.type !== "Property" || keyOf(property) === undefined)) return [];
  const kept = properties.filter((property) => {
    const key = keyOf(property)!;
    return !BEHAVIOURS.has(key) && (key !== "next" || kind === "choose");
  });
  const blank = (start: number, end: number, text: string): readonly Leaf[] =>
    end > start ? [{ kind: "nothing", start, end, text }] : [];
  if (kept.length === 0) return blank(options.start, options.end, "");
  const gaps = kept.map((property, index) => {
    const before = kept[index - 1];
    return { start: before?.end ?? options.start + 1, end: property.start, text: before === undefined ? "" : "," };
  });
  gaps.push({ start: kept.at(-1)!.end, end: options.end - 1, text: "" });
  return gaps.flatMap(({ start, end, text }) => blank(start, end, text));
}
