/**
 * The base class of every flow.
 *
 * This room is what users write: `Flow`, the decorators, the field definitions and `current`. It yields a
 * `FlowDefinition` (plain data) and binds values to an instance by field name. Invariants: decorators and definitions
 * only record facts, under `Symbol.for` keys, so that two copies of this package understand each other; `new Train()`
 * is harmless. Deliberately not here: whether the graph makes sense (`graph/`) and how steps run (`runner/`).
 */
import { FlowError } from "../errors/flow-error.ts";
import type { FlowBinding } from "./bound-flow.ts";
import { current } from "./current.ts";
import type { Log } from "./log.ts";
import type { Inputs, Merge, Run } from "./public-types.ts";

// Node has no Symbol.metadata yet. esbuild's lowered decorators fall back to this very symbol, and so must a native one.
(Symbol as { metadata?: symbol }).metadata ??= Symbol.for("Symbol.metadata");

/** Marks flow classes, also those of another copy of this package. */
export const FLOW_MARK = Symbol.for("millrace.Flow");
/** Where a bound instance keeps its binding. */
export const BINDING = Symbol.for("millrace.binding");
/** On `globalThis` while a watched flow is built: gives what its constructors and its step have as `this`. */
export const SHOWN_AS = Symbol.for("millrace.shownAs");
/** @param flowClass the class that is built */
export type ShownAs = (flow: object, flowClass: unknown) => object;

/**
 * What every flow extends. It has as few members as possible: each one takes a name away from users.
 *
 * @example
 * ```ts
 * export default class Hello extends Flow {
 *   greeting!: string;
 *   @step({ next: "end" }) start() { this.greeting = "hello"; }
 *   @step() end() { console.log(this.greeting); }
 * }
 * ```
 */
export abstract class Flow {
  /** The name in pathspecs, when it is not the class's own: give it if you minify or rename the class. */
  static readonly flowName?: string;
  /**
   * Called with the run after it succeeded and that is recorded, in a worker. What goes wrong in it is a warning.
   *
   * @example static override readonly onSuccess = async (run: Run<Train>) => post(`${run.name}: ${await run.data.score}`);
   */
  // biome-ignore lint/suspicious/noExplicitAny: a run of any flow; a subclass names its own
  static readonly onSuccess?: (run: Run<any>) => unknown;
  /** Called with the run after it failed. As `onSuccess`. */
  // biome-ignore lint/suspicious/noExplicitAny: a run of any flow; a subclass names its own
  static readonly onError?: (run: Run<any>) => unknown;

  static {
    Object.defineProperty(Flow, FLOW_MARK, { value: true });
  }

  constructor() {
    const shownAs = (globalThis as { readonly [SHOWN_AS]?: ShownAs })[SHOWN_AS];
    // biome-ignore lint/correctness/noConstructorReturn: what is returned has the private members of classes below
    if (shownAs !== undefined) return shownAs(this, new.target) as this;
  }

  /** Aborted when the task is cancelled. */
  declare protected readonly signal: AbortSignal;

  /**
   * Records metrics: `this.log.metric("loss", loss, { step: epoch })`.
   *
   * @throws FlowError FLOW_FLOW_NOT_RUNNING outside of a step
   */
  protected get log(): Log {
    const binding = (this as { readonly [BINDING]?: FlowBinding })[BINDING];
    return binding?.log ?? current.log;
  }

  /**
   * In a join: takes over each artifact on which all inputs that have it agree (by digest, without loading it).
   *
   * Set what differs by hand before the call.
   *
   * @param inputs what the join received
   * @param o.include only these artifacts; one that no input has is an error
   * @param o.exclude all but these
   * @throws FlowError when inputs disagree about an artifact; nothing is set then
   * @see merge_artifacts of Metaflow, whose rules these are
   */
  protected mergeArtifacts<T extends Flow>(inputs: Inputs<T>, o?: Merge<T>): void {
    const binding = (this as { readonly [BINDING]?: FlowBinding })[BINDING];
    if (binding === undefined) {
      throw new FlowError("FLOW_FLOW_NOT_RUNNING", {
        message: "Cannot merge artifacts: this flow object does not belong to a running step",
        hint: "Call this.mergeArtifacts(inputs) inside a join",
      });
    }
    const { include, exclude } = (o ?? {}) as { include?: readonly string[]; exclude?: readonly string[] };
    if (include !== undefined && exclude !== undefined) {
      throw new FlowError("FLOW_FLOW_BAD_MERGE", {
        message: "Cannot merge artifacts: include and exclude are given together",
        hint: "Keep one of include and exclude",
      });
    }
    binding.merge(this, inputs, { ...(include && { include }), ...(exclude && { exclude }) });
  }
}

/** Whether a value is a flow class of this or another copy of this package (abstract ones and `Flow` itself included). */
export function isFlowClass(value: unknown): value is abstract new () => Flow {
  return typeof value === "function" && (value as { readonly [FLOW_MARK]?: unknown })[FLOW_MARK] === true;
}
