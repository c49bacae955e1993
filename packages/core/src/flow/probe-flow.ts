import { type FieldFact, factOf } from "./field-facts.ts";

/** What the constructor left in a field. */
export type ProbedField =
  | { readonly kind: "definition"; readonly fact: FieldFact }
  | { readonly kind: "function"; readonly value: unknown }
  | { readonly kind: "constant"; readonly value: unknown }
  /** `data!: X` leaves an own `undefined` field, or none at all, depending on the compiler's target. */
  | { readonly kind: "empty" };

export interface ProbedFlow {
  readonly flow: object;
  /** The instance's own string-named fields in their order: those of base classes first. */
  readonly fields: ReadonlyMap<string, ProbedField>;
  /** What stands in the object's place for all but its builder, where somebody watches what is looked at. */
  readonly shown?: object;
  /** Whether the object has none of the fields yet: whoever binds it defines them, in their order. */
  readonly isBare?: boolean;
}

/** Builds a flow and looks at what its own fields hold. Nothing is read through a definition. */
export function probeFlow(flowClass: new () => object): ProbedFlow {
  const flow = new flowClass();
  const fields = new Map<string, ProbedField>();
  for (const name of Object.getOwnPropertyNames(flow)) {
    const descriptor = Object.getOwnPropertyDescriptor(flow, name)!;
    if ("value" in descriptor) fields.set(name, probeValue(descriptor.value));
  }
  return { flow, fields };
}

function probeValue(value: unknown): ProbedField {
  if (value === undefined) return { kind: "empty" };
  if (typeof value === "function") return { kind: "function", value };
  const fact = factOf(value);
  return fact === undefined ? { kind: "constant", value } : { kind: "definition", fact };
}
