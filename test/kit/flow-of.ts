import type { FlowDefinition, StepDefinition } from "../../packages/core/src/flow/definition.ts";

/** A step in short: where it leads, and what is special about it. */
export interface ShortStep {
  readonly next?: string | readonly string[] | Readonly<Record<string, string>>;
  readonly foreach?: string;
  readonly join?: boolean;
  readonly on?: string;
  readonly arity?: number;
}

/** A flow definition from steps in short; a `next` with cases makes a choose step. Each step stands on a line of its own. */
export function flowOf(steps: Readonly<Record<string, ShortStep>>): FlowDefinition {
  return {
    project: "test",
    name: "Example",
    formerly: [],
    steps: Object.entries(steps).map(([name, short], index) => stepOf(name, short, index + 1)),
    params: [],
    upstreams: [],
    artifacts: [],
    configs: [],
    files: [],
    constants: [],
  };
}

function stepOf(name: string, short: ShortStep, line: number): StepDefinition {
  const { next = [], foreach, join = false, on = "mode", arity = 0 } = short;
  const base = { name, isJoin: join, behaviour: {}, arity, location: { file: "/flows/example.ts", line } };
  if (typeof next === "string" || Array.isArray(next)) {
    return {
      ...base,
      kind: join ? "join" : "step",
      next: [next].flat() as readonly string[],
      ...(foreach === undefined ? {} : { foreach }),
    };
  }
  const cases = Object.entries(next as Readonly<Record<string, string>>).map(([value, target]) => ({ value, target }));
  return { ...base, kind: "choose", next: [...new Set(cases.map(({ target }) => target))], on, cases };
}
