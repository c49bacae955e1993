/**
 * What a join receives: an ordered, frozen array of read-only views of its inputs, and each input by its step's name.
 * A view reads an artifact when it is asked for, so a join over 10,000 inputs that reads one field loads one field each.
 */
import { FlowError } from "../../errors/flow-error.ts";
import type { TaskSequence } from "../../metadata/metadata-store.ts";
import type { StepContract } from "../protocol.ts";
import type { JoinInput } from "../scheduler/scope-instance.ts";
import { InputPages } from "./input-pages.ts";
import { LazySource, lazyRecord } from "./lazy-record.ts";
import type { ReadWatch } from "./read-watch.ts";
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
  const pages = run.loader.isFar ? { pages: new InputPages(run, inputs) } : {};
  const viewer: Viewer = { inputs, run, step: step.name, fields, ...pages, ...(watch && { watch }) };
  const views = inputs.map((input, index) => lazyRecord(new InputView(viewer, input.task, index)));
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
      value: lazyRecord(new InputView(viewer, before)),
    });
  Object.freeze(views);
  viewed.set(views, inputs);
  return views;
}

/** The tasks behind an `inputs` array, or undefined when it is not the one that the join received. */
export function inputsBehind(inputs: unknown): readonly JoinInput[] | undefined {
  return typeof inputs === "object" && inputs !== null ? viewed.get(inputs) : undefined;
}

/** What the views of one join have in common. */
interface Viewer {
  readonly inputs: readonly JoinInput[];
  readonly run: WorkerRun;
  readonly step: string;
  readonly fields: (name: string) => unknown;
  readonly watch?: ReadWatch;
  /** Where values come over a network. */
  readonly pages?: InputPages;
}

/** What the task of an input, or of the split (which has no index), left visible. */
class InputView extends LazySource {
  readonly what = "a join's input";
  readonly #viewer: Viewer;
  readonly #task: TaskSequence;
  readonly #index: number | undefined;
  #loaded: Map<string, unknown> | undefined;

  constructor(viewer: Viewer, task: TaskSequence, index?: number) {
    super();
    this.#viewer = viewer;
    this.#task = task;
    this.#index = index;
  }

  names(): readonly string[] {
    const { run } = this.#viewer;
    return [...new Set([...run.values.keys(), ...run.visible(this.#task).keys()])];
  }

  read(name: string): unknown {
    this.#loaded ??= new Map();
    if (this.#loaded.has(name)) return this.#loaded.get(name);
    const { run, step, fields, watch, pages } = this.#viewer;
    const row =
      pages === undefined || this.#index === undefined
        ? run.visibleArtifact(this.#task, name, (count) => this.#following(count))
        : pages.row(this.#index, name);
    if (this.#index === undefined) watch?.read(`inputs.before.${name}`);
    else watch?.inputRead(this.#index, name, row);
    // A field that this input never set reads as undefined, as it would on the flow itself.
    const value =
      row !== undefined
        ? run.loader.load(row, `an input of ${run.context.name}/${step}`)
        : run.values.has(name) || run.upstreams.has(name) || Object.hasOwn(run.context.secrets, name)
          ? fields(name)
          : undefined;
    this.#loaded.set(name, value);
    return value;
  }

  #following(count: number): readonly TaskSequence[] {
    if (this.#index === undefined) return [];
    return this.#viewer.inputs.slice(this.#index + 1, this.#index + 1 + count).map(({ task }) => task);
  }

  override asked(): void {
    this.#viewer.watch?.unknownRead("the list of an input's fields");
  }
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
