/**
 * How a flow instance gets its values: by field name, as read-only accessors that also record who reads what.
 * The runner gives a `FlowBinding`; `bindFlow` (bind-flow.ts) builds the instance.
 */
import type { Log } from "./log.ts";

export interface FlowBinding {
  /** Parameters, configs, files, upstreams and stored constants, by field name. Called on first read; the result is kept. */
  readonly values: LazyFields;
  /** Artifacts visible when the step begins, by field name: read lazily, replaced by the step's own assignment. */
  readonly inputs: LazyFields;
  /** Told once for each of `values` and `inputs` that the step reads. */
  readonly onRead: (field: string) => void;
  readonly signal: AbortSignal;
  /** What `this.log` is; left out where nothing is recorded. */
  readonly log?: Log;
  /** `this.mergeArtifacts(inputs, options)` lands here. */
  readonly merge: (
    flow: object,
    inputs: unknown,
    options: { readonly include?: readonly string[]; readonly exclude?: readonly string[] },
  ) => void;
}

/** Values by field name, each loaded when it is asked for. */
export interface LazyFields {
  names(): Iterable<string>;
  has(name: string): boolean;
  load(name: string): unknown;
}

/** Those of a few functions. */
export function lazyFields(loads: Readonly<Record<string, () => unknown>>): LazyFields {
  return {
    names: () => Object.keys(loads),
    has: (name) => Object.hasOwn(loads, name),
    load: (name) => loads[name]!(),
  };
}

/** What a step left on the instance, field by field, in the order of the instance's own fields. */
export type FieldState =
  /** Never read and never assigned: passed on by identity, without any work. */
  | { readonly kind: "untouched"; readonly name: string }
  /** Read, and so perhaps changed in place, or assigned: encoded and compared by digest. */
  | { readonly kind: "value"; readonly name: string; readonly value: unknown; readonly declared: boolean };
