import { parseDurationMs } from "../util/duration.ts";
import type { Report } from "./define-fields.ts";
import type { ArtifactDefinition } from "./definition.ts";
import type { ArtifactFact } from "./field-facts.ts";

/** A declared artifact with how long it is kept; into `report` what is wrong with its options. */
export function defineArtifact(name: string, { options }: ArtifactFact, report: Report): ArtifactDefinition {
  const { transient, ttl, ...others } = (options ?? {}) as Readonly<Record<string, unknown>>; // none in definitions of an older copy
  const problem = (message: string, hint: string): void => report("FLOW_DEFINITION_BAD_OPTION", message, hint);
  for (const other of Object.keys(others))
    problem(`"${name}" has the option "${other}", which an artifact does not have`, "Use transient or ttl");
  if (transient !== undefined && typeof transient !== "boolean")
    problem(`"transient" of "${name}" is ${shown(transient)} and must be true or false`, "Write { transient: true }");
  const ttlMs = typeof ttl === "string" ? parseDurationMs(ttl) : undefined;
  if (ttl !== undefined && (ttlMs === undefined || ttlMs === 0))
    problem(
      `"ttl" of "${name}" is ${shown(ttl)} and must be a length of time`,
      'Write a number and a unit: "30d", "12h"',
    );
  return {
    name,
    ...(transient === true ? { transient } : {}),
    ...(ttlMs === undefined ? {} : { ttlMs }),
  };
}

function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
