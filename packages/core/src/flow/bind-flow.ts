/**
 * Builds a flow object whose fields have their values: by field name, as accessors on the instance itself.
 *
 * Own accessors work whatever the compiler left behind (an own `undefined` field or none) and stand before getters of
 * the prototype. Values (parameters, configs, files, upstreams, constants) are read-only; inputs load on first read and
 * become plain fields on the first read or assignment. What a step leaves behind is told by `fields()`.
 */
import { isDeepStrictEqual } from "node:util";
import { FlowError } from "../errors/flow-error.ts";
import { isName } from "../ids/names.ts";
import { withoutCallSites } from "../util/call-site.ts";
import type { FieldState, FlowBinding } from "./bound-flow.ts";
import { deepFreeze } from "./deep-freeze.ts";
import type { FieldFact } from "./field-facts.ts";
import { BINDING } from "./flow.ts";
import { type ProbedField, type ProbedFlow, probeFlow } from "./probe-flow.ts";
import type { FlowClass } from "./public-types.ts";

export interface BoundFlow {
  readonly flow: object;
  /** The definitions that this very object was built with: their functions (`() => this.x`) see its values. */
  readonly facts: ReadonlyMap<string, FieldFact>;
  /**
   * What the step left, without loading anything. Own `undefined` fields, functions set by an initialiser, `#private`
   * and symbol-named fields are no artifacts.
   *
   * @throws FlowError FLOW_FLOW_BAD_FIELD for a name that cannot be an artifact; FLOW_FLOW_CONSTANT_CHANGED
   */
  fields(): readonly FieldState[];
  /** Whether the step has a value of its own in a field, assigned or read: such fields are left alone by a merge. */
  isSet(name: string): boolean;
  /** Gives one more lazy input, as a merge does; a field that the step has set is left alone. */
  addInput(name: string, load: () => unknown): void;
}

/**
 * Builds an instance of a flow class and binds values to its fields.
 *
 * @param build makes the instance; by default the class's own constructor
 * @throws FlowError FLOW_DEFINITION_CONSTRUCTION when the constructor throws
 */
export function bindFlow(
  flowClass: FlowClass,
  binding: FlowBinding,
  build: (flowClass: FlowClass) => ProbedFlow = construct,
): BoundFlow {
  const bound = new Binding(flowClass, binding, build(flowClass));
  bound.bind();
  return bound;
}

/** What the fields of a class are, worked out once for all objects that are made from one template. */
interface FieldPlan {
  readonly facts: ReadonlyMap<string, FieldFact>;
  /** Read-only fields, by what they are. */
  readonly fixed: ReadonlyMap<string, FieldFact["kind"] | "constant">;
  readonly declared: ReadonlySet<string>;
}

const plans = new WeakMap<object, FieldPlan>();

function planOf(fields: ProbedFlow["fields"]): FieldPlan {
  const known = plans.get(fields);
  if (known !== undefined) return known;
  const facts = new Map<string, FieldFact>();
  const fixed = new Map<string, FieldFact["kind"] | "constant">();
  const declared = new Set<string>();
  for (const [name, field] of fields) {
    if (field.kind === "constant") fixed.set(name, "constant");
    if (field.kind !== "definition") continue;
    facts.set(name, field.fact);
    if (field.fact.kind === "artifact") declared.add(name);
    else fixed.set(name, field.fact.kind);
  }
  const plan = { facts, fixed, declared };
  plans.set(fields, plan);
  return plan;
}

/**
 * One flow object and its values. The object's accessors are the same functions for all objects, and find the binding by
 * `this`: so objects of a class share one shape, and a task costs no function of its own for each field.
 */
class Binding implements BoundFlow, Pick<FlowBinding, "signal" | "merge"> {
  readonly flow: object;
  readonly #flowClass: FlowClass;
  readonly #given: FlowBinding;
  readonly #own: object;
  readonly #isBare: boolean;
  readonly #fields: ProbedFlow["fields"];
  readonly #plan: FieldPlan;
  /** Read-only fields that were read. */
  #kept: Map<string, unknown> | undefined;
  /** Of constants that were read: whether they are as they were. */
  #snapshots: Map<string, () => boolean> | undefined;
  /** Inputs that came later, by a merge. */
  #added: Map<string, () => unknown> | undefined;

  constructor(flowClass: FlowClass, given: FlowBinding, { flow, fields, shown = flow, isBare = false }: ProbedFlow) {
    this.flow = shown;
    this.#flowClass = flowClass;
    this.#given = given;
    this.#own = flow;
    this.#isBare = isBare;
    this.#fields = fields;
    this.#plan = planOf(fields);
  }

  /** Defines the fields, in the order in which the class has them. */
  bind(): void {
    const { inputs } = this.#given;
    const { fixed, declared } = this.#plan;
    for (const name of this.#fields.keys()) {
      if (fixed.has(name)) Object.defineProperty(this.#own, name, accessorOf(FIXED, name));
      else if (inputs.has(name)) this.#defineInput(name);
      else if (this.#isBare || declared.has(name)) Object.defineProperty(this.#own, name, EMPTY);
    }
    for (const name of inputs.names()) if (!this.#fields.has(name)) this.#defineInput(name);
    Object.defineProperty(this.#own, "signal", SIGNAL);
    Object.defineProperty(this.#own, BINDING, { value: this });
  }

  get facts(): ReadonlyMap<string, FieldFact> {
    return this.#plan.facts;
  }

  get signal(): AbortSignal {
    return this.#given.signal;
  }

  get log(): FlowBinding["log"] {
    return this.#given.log;
  }

  get merge(): FlowBinding["merge"] {
    return this.#given.merge;
  }

  readFixed(name: string): unknown {
    if (this.#kept?.has(name) === true) return this.#kept.get(name);
    const kind = this.#plan.fixed.get(name)!;
    const value = this.#loadFixed(name, kind);
    this.#kept ??= new Map();
    this.#kept.set(name, value);
    if (kind === "constant") {
      this.#snapshots ??= new Map();
      this.#snapshots.set(name, snapshot(value));
    }
    this.#given.onRead(name);
    return value;
  }

  readInput(name: string): unknown {
    const added = this.#added?.get(name);
    const value = added === undefined ? this.#given.inputs.load(name) : added();
    this.settle(name, value);
    this.#given.onRead(name);
    return value;
  }

  settle(name: string, value: unknown): void {
    Object.defineProperty(this.#own, name, { value, writable: true, enumerable: true, configurable: true });
  }

  refuse(name: string): never {
    readOnly(name, WORD[this.#plan.fixed.get(name) as keyof typeof WORD]);
  }

  isSet(name: string): boolean {
    if (this.#plan.fixed.has(name)) return true;
    const field = Object.getOwnPropertyDescriptor(this.#own, name);
    if (field === undefined || isUntouched(name, field)) return false;
    return field.value !== undefined && field.value !== initialFunction(this.#fields.get(name));
  }

  addInput(name: string, load: () => unknown): void {
    if (this.isSet(name)) return;
    this.#added ??= new Map();
    this.#added.set(name, load);
    this.#defineInput(name);
  }

  fields(): readonly FieldState[] {
    if (this.#snapshots !== undefined)
      for (const [name, isSame] of this.#snapshots) if (!isSame()) constantChanged(name);
    const { fixed, declared } = this.#plan;
    const states: FieldState[] = [];
    for (const name of Object.keys(this.#own)) {
      if (fixed.has(name)) continue;
      const field = Object.getOwnPropertyDescriptor(this.#own, name)!;
      if (isUntouched(name, field)) {
        states.push({ kind: "untouched", name });
        continue;
      }
      const value = (this.#own as Record<string, unknown>)[name];
      if (value === undefined || value === initialFunction(this.#fields.get(name))) continue;
      checkFieldName(this.#flowClass, name);
      states.push({ kind: "value", name, value, declared: declared.has(name) });
    }
    return states;
  }

  #loadFixed(name: string, kind: FieldFact["kind"] | "constant"): unknown {
    const { values } = this.#given;
    if (!values.has(name)) {
      if (kind !== "constant") unbound(name);
      return (this.#fields.get(name) as { readonly value: unknown }).value;
    }
    const value = values.load(name);
    // Parameters and configs are private copies: a change in place would be lost, so it fails where it happens.
    return kind === "constant" || kind === "upstream" ? value : deepFreeze(value);
  }

  #defineInput(name: string): void {
    Object.defineProperty(this.#own, name, accessorOf(INPUT, name));
  }
}

const EMPTY = { value: undefined, writable: true, enumerable: true, configurable: true };

type Bound = { readonly [BINDING]: Binding };

const SIGNAL: PropertyDescriptor & ThisType<Bound> = {
  get() {
    return this[BINDING].signal;
  },
  set: () => readOnly("signal", "part of Flow"),
};

/** Accessors of one kind, by field name. */
interface Accessors {
  readonly make: (name: string) => PropertyDescriptor & ThisType<Bound>;
  readonly known: Map<string, PropertyDescriptor>;
}

const FIXED: Accessors = {
  known: new Map(),
  make: (name) => ({
    get() {
      return this[BINDING].readFixed(name);
    },
    set() {
      this[BINDING].refuse(name);
    },
    enumerable: true,
    configurable: false,
  }),
};

const INPUT: Accessors = {
  known: new Map(),
  make: (name) => ({
    get() {
      return this[BINDING].readInput(name);
    },
    set(value: unknown) {
      this[BINDING].settle(name, value);
    },
    enumerable: true,
    configurable: true,
  }),
};

function accessorOf({ known, make }: Accessors, name: string): PropertyDescriptor {
  let accessor = known.get(name);
  if (accessor === undefined) {
    accessor = make(name);
    known.set(name, accessor);
  }
  return accessor;
}

/** A step may delete an input and set the field anew: then its accessor is gone. */
function isUntouched(name: string, field: PropertyDescriptor): boolean {
  return field.get !== undefined && field.get === INPUT.known.get(name)?.get;
}

/**
 * The constants of a flow: initialised fields that are neither definitions nor functions, as one construction gives
 * them. They are kept once with the run; tasks get the kept values through `FlowBinding.values`.
 */
export function constantsOf(flowClass: FlowClass): Readonly<Record<string, unknown>> {
  const constants: [string, unknown][] = [];
  for (const [name, field] of construct(flowClass).fields)
    if (field.kind === "constant") constants.push([name, field.value]);
  return Object.fromEntries(constants);
}

const WORD = {
  param: "a parameter",
  config: "a config",
  file: "an included file",
  upstream: "an upstream",
  "upstream-of": "an upstream",
  artifact: "an artifact",
  constant: "a constant (it has an initialiser)",
} as const;

/** Builds a flow to look at its fields; a constructor that throws is a coded error. */
export function construct(flowClass: FlowClass): ProbedFlow {
  try {
    return withoutCallSites(() => probeFlow(flowClass));
  } catch (cause) {
    throw constructionError(flowClass, cause);
  }
}

/** The error for a flow class whose constructor throws. */
export function constructionError(flowClass: FlowClass, cause: unknown): FlowError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new FlowError("FLOW_DEFINITION_CONSTRUCTION", {
    message: `Cannot construct flow "${flowClass.name}": ${text}`,
    hint: "Move the work from the field initialiser or constructor into a step",
    cause,
  });
}

function initialFunction(field: ProbedField | undefined): unknown {
  return field?.kind === "function" ? field.value : undefined;
}

/**
 * Remembers a constant as it is when first read, and later says whether it still is. What cannot be cloned faithfully
 * (class instances, functions inside) is not watched: a false alarm would be worse.
 */
function snapshot(value: unknown): () => boolean {
  if (typeof value !== "object" || value === null) return () => true;
  try {
    const copy = structuredClone(value);
    return isDeepStrictEqual(copy, value) ? () => isDeepStrictEqual(copy, value) : () => true;
  } catch {
    return () => true;
  }
}

function checkFieldName(flowClass: FlowClass, name: string): void {
  const taken = name in flowClass.prototype;
  if (isName(name) && !taken) return;
  throw new FlowError("FLOW_FLOW_BAD_FIELD", {
    message: taken
      ? `Cannot keep "${name}" as an artifact: flow "${flowClass.name}" has a member of that name`
      : `Cannot keep ${JSON.stringify(name)} as an artifact: it is not an identifier of at most 128 characters`,
    hint: taken ? "Set a field of another name" : "Use another name, or keep the values in a Map or an object",
    context: { field: name },
  });
}

function readOnly(name: string, what: string): never {
  throw new FlowError("FLOW_FLOW_READ_ONLY", {
    message: `Cannot set "${name}": it is ${what}, and read-only in steps`,
    hint: what.startsWith("a constant")
      ? `Declare it without a value (${name}!: …) and set it in a step`
      : "Set a field of another name",
    context: { field: name },
  });
}

function unbound(name: string): never {
  throw new FlowError("FLOW_DEFINITION_TOO_EARLY", {
    message: `Cannot read "${name}" here: it has no value yet`,
    hint: "Read it in a step",
    context: { field: name },
  });
}

function constantChanged(name: string): never {
  throw new FlowError("FLOW_FLOW_CONSTANT_CHANGED", {
    message: `Cannot keep the change of "${name}": it has an initialiser and is a constant of the run`,
    hint: `Declare it without a value (${name}!: …) and set it in a step`,
    context: { field: name },
  });
}
