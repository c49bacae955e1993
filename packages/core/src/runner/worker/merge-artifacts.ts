/**
 * `this.mergeArtifacts(inputs, { include, exclude })` with Metaflow's rules. Candidates are the artifacts that any input
 * has and that the join has not set itself. Where all inputs that have a name agree by identity (codec and digest), it is
 * passed on by identity, unread; where they differ, nothing at all is merged and every conflicting name is listed.
 *
 * @see Metaflow's `merge_artifacts` (flowspec.py), whose comparison by hash this follows
 */
import { FlowError } from "../../errors/flow-error.ts";
import type { ArtifactRow } from "../../metadata/metadata-store.ts";
import type { JoinInput } from "../scheduler/scope-instance.ts";
import { inputsBehind } from "./join-inputs.ts";
import type { WorkerRun } from "./worker-run.ts";

export interface MergeOptions {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
}

/**
 * @param isSet whether the join has set a field itself
 * @returns the artifacts to pass on, by name
 * @throws FlowError FLOW_RUNNER_MERGE_CONFLICT, FLOW_RUNNER_MERGE_MISSING, FLOW_RUNNER_MERGE_USAGE
 */
export function mergeArtifacts(
  run: WorkerRun,
  step: string,
  inputs: unknown,
  options: MergeOptions,
  isSet: (name: string) => boolean,
): readonly ArtifactRow[] {
  if (options.include !== undefined && options.exclude !== undefined) {
    throw new FlowError("FLOW_RUNNER_MERGE_USAGE", {
      message: `Cannot merge artifacts in "${step}": include and exclude exclude each other`,
      hint: "Give one of them",
    });
  }
  const behind = inputsBehind(inputs);
  if (behind === undefined) {
    throw new FlowError("FLOW_RUNNER_MERGE_USAGE", {
      message: `Cannot merge artifacts in "${step}": the first argument is not what the join received`,
      hint: "Call this.mergeArtifacts(inputs) in a join, with its own `inputs`",
    });
  }
  return mergedArtifacts(run, step, behind, options, isSet);
}

/** The artifacts that a merge of these inputs passes on. */
export function mergedArtifacts(
  run: Pick<WorkerRun, "visible">,
  step: string,
  behind: readonly JoinInput[],
  options: MergeOptions,
  isSet: (name: string) => boolean,
): readonly ArtifactRow[] {
  const candidates = new Map<string, ArtifactRow>();
  const conflicts = new Set<string>();
  for (const input of behind) {
    for (const [name, row] of run.visible(input.task)) {
      if (
        isSet(name) ||
        options.exclude?.includes(name) ||
        (options.include !== undefined && !options.include.includes(name))
      )
        continue;
      const other = candidates.get(name);
      if (other === undefined) candidates.set(name, row);
      else if (other.digest !== row.digest || other.codec !== row.codec) conflicts.add(name);
    }
  }
  if (conflicts.size > 0) {
    const names = [...conflicts].sort();
    throw new FlowError("FLOW_RUNNER_MERGE_CONFLICT", {
      message: `Cannot merge artifacts in "${step}": the inputs differ in ${names.map((name) => `"${name}"`).join(", ")}`,
      hint: "Set each of them in this step before the call, or exclude them",
      context: { step, names },
    });
  }
  const missing = (options.include ?? []).filter((name) => !candidates.has(name) && !isSet(name));
  if (missing.length > 0) {
    throw new FlowError("FLOW_RUNNER_MERGE_MISSING", {
      message: `Cannot merge artifacts in "${step}": no input has ${missing.map((name) => `"${name}"`).join(", ")}`,
      hint: "Take the name out of include, or set it in a step before the join",
      context: { step, names: missing },
    });
  }
  return [...candidates.values()];
}
