/**
 * What a join receives: an ordered, frozen array of read-only views of its inputs, and each input by its step's name.
 * A view reads an artifact when it is asked for, so a join over 10,000 inputs that reads one field loads one field each.
 */
import { FlowError } from "../../errors/flow-error.ts";
import type { ArtifactRow } from "../../metadata/metadata-store.ts";
import type { StepContract } from "../protocol.ts";
import type { JoinInput } from "../scheduler/scope-instance.ts";
import { lazyRecord } from "./upstream-value.ts";
import type { WorkerRun } from "./worker-run.ts";

/** Finds the views again when `mergeArtifacts(inputs)` is called with this very array. */
const viewed = new WeakMap<object, readonly JoinInput[]>();

export function joinInputs(run: WorkerRun, step: StepContract, inputs: readonly JoinInput[], fields: (name: string) => unknown): readonly object[] {
  const views = inputs.map((input) => inputView(run, step.name, input, fields));
  for (const source of step.sources) {
    Object.defineProperty(views, source, { enumerable: false, get: () => byStep(step, source, inputs, views) });
  }
  Object.freeze(views);
  viewed.set(views, inputs);
  return views;
}

/** The tasks behind an `inputs` array, or undefined when it is not the one that the join received. */
export function inputsBehind(inputs: unknown): readonly JoinInput[] | undefined {
  return typeof inputs === "object" && inputs !== null ? viewed.get(inputs) : undefined;
}

function inputView(run: WorkerRun, step: string, input: JoinInput, fields: (name: string) => unknown): object {
  let table: ReadonlyMap<string, ArtifactRow> | undefined;
  const loaded = new Map<string, unknown>();
  const artifacts = (): ReadonlyMap<string, ArtifactRow> => (table ??= run.visible(input.task));
  const names = (): string[] => [...new Set([...run.values.keys(), ...artifacts().keys()])];
  return lazyRecord("a join's input", names, (name) => {
    if (loaded.has(name)) return loaded.get(name);
    const row = artifacts().get(name);
    // A field that this input never set reads as undefined, as it would on the flow itself.
    const value = row !== undefined ? run.loader.load(row, `an input of ${run.context.name}/${step}`) : run.values.has(name) || run.upstreams.has(name) ? fields(name) : undefined;
    loaded.set(name, value);
    return value;
  });
}

function byStep(step: StepContract, source: string, inputs: readonly JoinInput[], views: readonly object[]): object {
  const matching = views.filter((_, index) => inputs[index]!.from === source);
  if (matching.length === 1) return matching[0]!;
  throw new FlowError("FLOW_RUNNER_NO_INPUT", {
    message: matching.length === 0
      ? `Cannot read inputs.${source} in "${step.name}": the step "${source}" was not taken`
      : `Cannot read inputs.${source} in "${step.name}": there are ${matching.length} inputs from "${source}"`,
    hint: matching.length === 0 ? "Look at inputs[0], or at the field that the choice was made on" : "Use inputs[0], inputs.map(…) or for (const input of inputs)",
    context: { step: step.name, source },
  });
}

