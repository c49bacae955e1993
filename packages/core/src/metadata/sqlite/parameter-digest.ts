import { hash } from "node:crypto";
import { canonicalJson } from "../canonical-json.ts";

/** What runs are found by when a parameter's value is asked for: sha-256 of the canonical JSON of the encoded input. */
export function parameterDigest(name: string, value: unknown): Buffer {
  return hash("sha256", canonicalJson(value, `parameter "${name}"`), "buffer");
}
