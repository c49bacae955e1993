import { FlowError } from "../errors/flow-error.ts";

/**
 * JSON with the keys of every object sorted by code unit and without white space: equal values give equal texts.
 * Fields that are undefined are left out, as `JSON.stringify` does.
 *
 * @throws FlowError FLOW_METADATA_BAD_ARGUMENT for what JSON cannot hold, naming its place
 */
export function canonicalJson(value: unknown, place = "the value"): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number" && Number.isFinite(value)) return JSON.stringify(value);
  if (Array.isArray(value))
    return `[${value.map((item, index) => canonicalJson(item, `${place}[${index}]`)).join(",")}]`;
  if (typeof value === "object") {
    if ("toJSON" in value && typeof value.toJSON === "function") return canonicalJson(value.toJSON(), place);
    const entries = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field, `${place}.${key}`)}`);
    return `{${entries.join(",")}}`;
  }
  throw new FlowError("FLOW_METADATA_BAD_ARGUMENT", {
    message: `Cannot record ${place}: JSON has no ${typeof value === "number" ? String(value) : typeof value}`,
    hint: "Give the parameter a schema whose encoded form is JSON",
  });
}
