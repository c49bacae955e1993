/**
 * What a join receives: an ordered, frozen array of read-only views of its inputs, and each input by its step's name.
 * A view reads an artifact when it is asked for, so a join over 10,000 inputs that reads one field loads one field each.
 */
import { FlowError } from "../../errors/flow-error.ts";
import { isName } from "../../ids/names.ts";
import type { ArtifactRow, TaskSequence } from "../../metadata/metadata-store.ts";
import type { StepContract } from "../protocol.ts";
import type { JoinInput } from "../scheduler/scope-instance.ts";
import type { ReadWatch } from "./read-watch.ts";
import { lazyRecord } from "./upstream-value.ts";
import type { WorkerRun } from "./worker-run.ts";

/** Finds the views again when `mergeArtifacts(inputs)` is called with this very array. */
const viewed = new WeakMap<object, readonly JoinInput[]>();

export function joinInputs(
  run: WorkerRun,
  step: StepContract,
  { inputs, before }: { readonly inputs: readonly JoinInput[]; readonly before?: TaskSequence },
  fields: (name: string) => unknown,
  watch?: ReadWatch,
): readonly object[] {
  const views = inputs.map((input, index) =>
    inputView(run, step.name, input.task, fields, {
      ...(watch && { watch, onRead: (name, row) => watch.inputRead(index, name, row) }),
    }),
  );
  for (const source of step.sources) {
    Object.defineProperty(views, source, { enumerable: false, get: () => byStep(step, source, inputs, views) });
  }
  Object.defineProperty(views, "maybe", {
    enumerable: false,
    value: (source: string) => (isMissing(step, source, inputs) ? undefined : byStep(step, source, inputs, views)),
  });
  if (before !== undefined)
    Object.defineProperty(views, "before", {
      enumerable: false,
      value: inputView(run, step.name, before, fields, {
        ...(watch && { watch, onRead: (name) => readBefore(watch, name) }),
      }),
    });
  Object.freeze(views);
  viewed.set(views, inputs);
  return views;
}

/** The tasks behind an `inputs` array, or undefined when it is not the one that the join received. */
export function inputsBehind(inputs: unknown): readonly JoinInput[] | undefined {
  return typeof inputs === "object" && inputs !== null ? viewed.get(inputs) : undefined;
}

/** What the task of an input, or of the split, left visible. */
function inputView(
  run: WorkerRun,
  step: string,
  task: TaskSequence,
  fields: (name: string) => unknown,
  { watch, onRead }: ViewWatch,
): object {
  let table: ReadonlyMap<string, ArtifactRow> | undefined;
  const loaded = new Map<string, unknown>();
  const artifacts = (): ReadonlyMap<string, ArtifactRow> => (table ??= run.visible(task));
  const names = (): string[] => [...new Set([...run.values.keys(), ...artifacts().keys()])];
  const read = (name: string): unknown => {
    if (loaded.has(name)) return loaded.get(name);
    const row = artifacts().get(name);
    onRead?.(name, row);
    // A field that this input never set reads as undefined, as it would on the flow itself.
    const value =
      row !== undefined
        ? run.loader.load(row, `an input of ${run.context.name}/${step}`)
        : run.values.has(name) || run.upstreams.has(name) || Object.hasOwn(run.context.secrets, name)
          ? fields(name)
          : undefined;
    loaded.set(name, value);
    return value;
  };
  return lazyRecord("a join's input", names, read, watch && (() => watch.unknownRead("the list of an input's fields")));
}

function readBefore(watch: ReadWatch, name: string): void {
  if (isName(name)) watch.read(`inputs.before.${name}`);
  else watch.unknownRead("a field whose name is no identifier");
}

interface ViewWatch {
  readonly watch?: ReadWatch;
  /** `row` is what the task left under the name. */
  readonly onRead?: (name: string, row: ArtifactRow | undefined) => void;
}

/** Whether a step that leads here was not taken; any other name is a mistake that `byStep` explains. */
function isMissing(step: StepContract, source: string, inputs: readonly JoinInput[]): boolean {
  return step.sources.includes(source) && !inputs.some(({ from }) => from === source);
}

function byStep(step: StepContract, source: string, inputs: readonly JoinInput[], views: readonly object[]): object {
  const matching = views.filter((_, index) => inputs[index]!.from === source);
  if (matching.length === 1) return matching[0]!;
  throw new FlowError("FLOW_RUNNER_NO_INPUT", {
    message:
      matching.length === 0
        ? `Cannot read inputs.${source} in "${step.name}": the step "${source}" was not taken`
        : `Cannot read inputs.${source} in "${step.name}": there are ${matching.length} inputs from "${source}"`,
    hint:
      matching.length === 0
        ? "Look at inputs[0], or at the field that the choice was made on"
        : "Use inputs[0], inputs.map(…) or for (const input of inputs)",
    context: { step: step.name, source },
  });
}
