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
  const { flow, fields, shown = flow } = build(flowClass);
  const fixed = new Set<string>();
  const untouched = new Set<string>();
  const snapshots = new Map<string, () => boolean>();
  const declared = new Set<string>();
  const facts = new Map<string, FieldFact>();

  const bindValue = (name: string, load: () => unknown, what: string, isUpstream: boolean): void => {
    fixed.add(name);
    let kept: { readonly value: unknown } | undefined;
    define(
      flow,
      name,
      () => {
        if (kept === undefined) {
          const value = load();
          // Parameters and configs are private copies: a change in place would be lost, so it fails where it happens.
          kept = { value: isUpstream ? value : deepFreeze(value) };
          binding.onRead(name);
        }
        return kept.value;
      },
      () => readOnly(name, what),
      true,
    );
  };

  const bindConstant = (name: string, load: () => unknown): void => {
    fixed.add(name);
    let kept: { readonly value: unknown } | undefined;
    define(
      flow,
      name,
      () => {
        if (kept === undefined) {
          kept = { value: load() };
          snapshots.set(name, snapshot(kept.value));
          binding.onRead(name);
        }
        return kept.value;
      },
      () => readOnly(name, "a constant (it has an initialiser)"),
      true,
    );
  };

  const bindInput = (name: string, load: () => unknown): void => {
    untouched.add(name);
    define(
      flow,
      name,
      () => {
        const value = load();
        settle(name, value);
        binding.onRead(name);
        return value;
      },
      (value) => settle(name, value),
      false,
    );
  };

  const settle = (name: string, value: unknown): void => {
    untouched.delete(name);
    Object.defineProperty(flow, name, { value, writable: true, enumerable: true, configurable: true });
  };

  for (const [name, field] of fields) {
    const kind = field.kind === "definition" ? field.fact.kind : field.kind;
    if (field.kind === "definition") facts.set(name, field.fact);
    if (kind === "artifact") {
      declared.add(name);
      settle(name, undefined);
    } else if (field.kind === "definition") {
      const load = own(binding.values, name) ?? (() => unbound(name));
      bindValue(name, load, WORD[field.fact.kind], kind === "upstream");
    } else if (field.kind === "constant") {
      bindConstant(name, own(binding.values, name) ?? (() => field.value));
    }
  }
  for (const [name, load] of Object.entries(binding.inputs)) if (!fixed.has(name)) bindInput(name, load);
  Object.defineProperty(flow, "signal", {
    get: () => binding.signal,
    set: () => readOnly("signal", "part of Flow"),
  });
  Object.defineProperty(flow, BINDING, { value: binding });

  // A step may delete an input and set the field anew: then no accessor is left.
  const isUntouched = (name: string): boolean =>
    untouched.has(name) && Object.getOwnPropertyDescriptor(flow, name)?.get !== undefined;
  const isSet = (name: string): boolean => {
    if (fixed.has(name)) return true;
    if (isUntouched(name)) return false;
    const value = Object.getOwnPropertyDescriptor(flow, name);
    return value !== undefined && value.value !== undefined && value.value !== initialFunction(fields.get(name));
  };
  return {
    flow: shown,
    facts,
    isSet,
    addInput: (name, load) => {
      if (!isSet(name)) bindInput(name, load);
    },
    fields: () => {
      for (const [name, isSame] of snapshots) if (!isSame()) constantChanged(name);
      const states: FieldState[] = [];
      for (const name of Object.keys(flow)) {
        if (fixed.has(name)) continue;
        if (isUntouched(name)) {
          states.push({ kind: "untouched", name });
          continue;
        }
        const value = (flow as Record<string, unknown>)[name];
        if (value === undefined || value === initialFunction(fields.get(name))) continue;
        checkFieldName(flowClass, name);
        states.push({ kind: "value", name, value, declared: declared.has(name) });
      }
      return states;
    },
  };
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

function define(flow: object, name: string, get: () => unknown, set: (value: unknown) => void, isFixed: boolean): void {
  Object.defineProperty(flow, name, { get, set, enumerable: true, configurable: !isFixed });
}

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
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
