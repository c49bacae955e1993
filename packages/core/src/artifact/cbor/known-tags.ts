import { typedArrayKindByTag } from "../typed-arrays.ts";
import { TAG } from "./tags.ts";

const known = new Set<number>(Object.values(TAG));

/** Whether a tag is decoded into a value of the language, so that no Tagged may carry it. */
export function isKnownTag(tag: number): boolean {
  return known.has(tag) || typedArrayKindByTag(tag) !== undefined;
}
