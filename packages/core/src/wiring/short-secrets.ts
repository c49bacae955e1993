import type { Problem } from "../errors/flow-error.ts";
import { LEAST_CHARACTERS } from "../runner/secret-mask.ts";
import type { PreparedRun } from "./prepare-run.ts";

/** A warning for the secrets of a run that are too short to be masked in what its steps write, once for all of them. */
export function shortSecrets({ fields, policies }: Pick<PreparedRun, "fields" | "policies">): readonly Problem[] {
  const isShort = (value: unknown): boolean =>
    typeof value === "string" && value !== "" && value.length < LEAST_CHARACTERS;
  const names = new Set([
    ...fields.filter(({ secret, value }) => secret && isShort(value)).map(({ name }) => name),
    ...[...policies.values()].flatMap(({ placement }) =>
      Object.entries(placement?.secrets ?? {}).flatMap(([name, value]) => (isShort(value) ? [name] : [])),
    ),
  ]);
  if (names.size === 0) return [];
  return [
    {
      code: "FLOW_RUNNER_SHORT_SECRET",
      message: `Secrets of fewer than ${LEAST_CHARACTERS} characters are not masked in what steps write: ${[...names].join(", ")}`,
      hint: "Give a longer secret, or none",
    },
  ];
}
