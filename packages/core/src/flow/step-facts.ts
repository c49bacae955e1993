import type { CallSite } from "../util/call-site.ts";
import type { StepKind } from "./definition.ts";
import { isFlowClass } from "./flow.ts";

/** What a decorator recorded about one method. Nothing is checked yet: options come as the user wrote them. */
export interface StepFact {
  readonly name: string;
  readonly kind: StepKind;
  readonly options: Readonly<Record<string, unknown>>;
  readonly site: CallSite;
  /** Why the decorator cannot stand here: on a static member, a private one, a field, a getter, a second time. */
  readonly misuse?: string;
}

/** The key of the facts in a class's decorator metadata; other copies of this package use it too. */
export const STEPS = Symbol.for("millrace.steps");

type Metadata = Record<PropertyKey, unknown>;

/** Adds a fact to the metadata of the class that is being defined, and to no base class. */
export function recordStep(metadata: Metadata, fact: StepFact): void {
  if (!Object.hasOwn(metadata, STEPS)) metadata[STEPS] = [];
  (metadata[STEPS] as StepFact[]).push(fact);
}

/** The facts of a class: base classes first, an override in the place of what it overrides. */
export function stepFactsOf(flowClass: object): {
  readonly steps: readonly StepFact[];
  readonly misused: readonly StepFact[];
} {
  const steps = new Map<string, StepFact>();
  const misused: StepFact[] = [];
  for (const level of metadataLevels(flowClass)) {
    const seen = new Set<string>();
    for (const fact of level) {
      if (fact.misuse !== undefined) misused.push(fact);
      else if (seen.has(fact.name)) misused.push({ ...fact, misuse: "it carries two step decorators" });
      else steps.set(fact.name, fact);
      seen.add(fact.name);
    }
  }
  return { steps: [...steps.values()], misused };
}

/** The recorded lists from the most basic class down to the class itself. */
function metadataLevels(flowClass: object): readonly (readonly StepFact[])[] {
  const levels: (readonly StepFact[])[] = [];
  const key = Symbol.for("Symbol.metadata");
  const nativeKey = (Symbol as { metadata?: symbol }).metadata ?? key;
  const seen = new Set<object>();
  for (let current: object | null = flowClass; isFlowClass(current); current = Object.getPrototypeOf(current)) {
    const owner = current as unknown as Metadata;
    const own = [nativeKey, key].find((candidate) => Object.hasOwn(owner, candidate));
    const metadata = own === undefined ? undefined : (owner[own] as Metadata | undefined);
    if (metadata == null || seen.has(metadata) || !Object.hasOwn(metadata, STEPS)) continue;
    seen.add(metadata);
    levels.unshift(metadata[STEPS] as readonly StepFact[]);
  }
  return levels;
}
