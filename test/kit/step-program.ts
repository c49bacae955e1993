/**
 * Steps as data, so that random ones can be made: a program is a list of instructions about the fields, inputs and facts of
 * a task. All that a program sees goes into one number, which decides what it does next and what it leaves.
 */
import fc from "fast-check";

export const FIELDS = ["f0", "f1", "f2", "items", "p0", "source"] as const;

export type Instruction =
  /** Looks at a field; what has no number in it counts as its text. */
  | { readonly do: "read" | "has" | "delete" | "undefine" | "push" | "write"; readonly field: string }
  /** Sets a field to a number that depends on nothing. */
  | { readonly do: "set"; readonly field: string; readonly value: number }
  | { readonly do: "item" | "index" | "keys" | "random" | "class" }
  | { readonly do: "current"; readonly fact: "path" | "index" | "attempt" | "tags" | "id" }
  | { readonly do: "upstream"; readonly part: "data" | "has" | "names" | "name" | "tags"; readonly name: string }
  | { readonly do: "input"; readonly index: number; readonly field: string }
  | { readonly do: "inputs" | "input-has" | "before"; readonly field: string }
  | { readonly do: "merge"; readonly include?: readonly string[]; readonly exclude?: readonly string[] }
  /** Goes on inside when what was seen so far is odd. */
  | { readonly do: "if"; readonly inner: readonly Instruction[] };

export type StepProgram = readonly Instruction[];

/** What a flow's step may use besides `this`. */
export interface StepWorld {
  readonly parameters: readonly unknown[];
  readonly current: {
    readonly path: string;
    readonly index: number | undefined;
    readonly attempt: number;
    readonly run: { readonly id: string; readonly tags: readonly string[] };
    random(): number;
  };
}

type Fields = Record<string, unknown>;

/** Carries out a program on a flow object. */
export function perform(flow: object, program: StepProgram, world: StepWorld): void {
  const seen = { number: 7 };
  for (const instruction of program) performOne(flow as Fields, instruction, world, seen);
}

function performOne(flow: Fields, each: Instruction, world: StepWorld, seen: { number: number }): void {
  const see = (value: unknown): void => {
    seen.number = (seen.number * 31 + numberOf(value)) % 9_973;
  };
  const [first, second] = world.parameters;
  const inputs = (Array.isArray(first) && "before" in first ? first : []) as unknown as readonly Fields[] & {
    readonly before: Fields;
  };
  switch (each.do) {
    case "read":
      see(flow[each.field]);
      break;
    case "has":
      see(each.field in flow);
      break;
    case "delete":
      delete flow[each.field];
      break;
    case "undefine":
      flow[each.field] = undefined;
      break;
    case "push": {
      const value = flow[each.field];
      if (Array.isArray(value)) value.push(seen.number % 3);
      break;
    }
    case "write":
      flow[each.field] = seen.number % 4;
      break;
    case "set":
      flow[each.field] = each.value;
      break;
    case "item":
      see(inputs.length > 0 ? 0 : first);
      break;
    case "index":
      see(second);
      break;
    case "keys":
      see(Object.keys(flow).length);
      break;
    case "random":
      see(Math.floor(world.current.random() * 1_000));
      break;
    case "class":
      see(flow.constructor.name);
      break;
    case "current": {
      const { current } = world;
      if (each.fact === "tags") see(current.run.tags.join());
      else see(each.fact === "id" ? current.run.id : current[each.fact]);
      break;
    }
    case "upstream":
      see(upstreamPart(flow.source as Upstream | undefined, each.part, each.name));
      break;
    case "input":
      see(inputs[each.index]?.[each.field]);
      break;
    case "inputs":
      for (const input of inputs) see(input[each.field]);
      break;
    case "input-has":
      see(inputs[0] === undefined ? 0 : each.field in inputs[0]);
      break;
    case "before":
      see(inputs.before?.[each.field]);
      break;
    case "merge":
      try {
        if (inputs.length === 0) break;
        const { do: _, ...options } = each;
        (flow as unknown as { mergeArtifacts(from: unknown, options: object): void }).mergeArtifacts(inputs, options);
      } catch (error) {
        see((error as Error).message);
      }
      break;
    case "if":
      if (seen.number % 2 === 1) for (const inner of each.inner) performOne(flow, inner, world, seen);
  }
}

interface Upstream {
  readonly data: Fields;
  readonly run: { readonly name: string; readonly tags: readonly string[] };
}

function upstreamPart(source: Upstream | undefined, part: string, name: string): unknown {
  if (source === undefined) return "none";
  if (part === "has") return name in source.data;
  if (part === "names") return Object.keys(source.data).join();
  if (part === "data") return name in source.data ? source.data[name] : undefined;
  return source.run[part as "name" | "tags"];
}

function numberOf(value: unknown): number {
  if (typeof value === "number") return value + 1;
  const text = typeof value === "object" && value !== null && "run" in value ? "an upstream" : String(value);
  let sum = 0;
  for (const char of text) sum = (sum * 33 + char.codePointAt(0)!) % 9_973;
  return sum;
}

const field = fc.constantFrom("f0", "f1", "f2");
const anyField = fc.constantFrom(...FIELDS);
const names = fc.uniqueArray(fc.constantFrom("f0", "f1", "f2", "items"), { maxLength: 2 });

const plain: fc.Arbitrary<Instruction> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("read" as const), field: anyField }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("write", "push" as const), field }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("set" as const), field, value: fc.integer({ min: 0, max: 2 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("has", "delete", "undefine" as const), field }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("item", "index" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("keys", "random", "class" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("current" as const),
      fact: fc.constantFrom("path", "index", "attempt", "tags", "id" as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("upstream" as const),
      part: fc.constantFrom("data", "data", "has", "names", "name", "tags" as const),
      name: fc.constantFrom("rows", "more"),
    }),
  },
);

const joining: fc.Arbitrary<Instruction> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("input" as const), index: fc.nat({ max: 3 }), field: anyField }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("inputs", "before" as const), field: anyField }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("input-has" as const), field }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("merge" as const), include: names }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("merge" as const), exclude: names }) },
  { weight: 1, arbitrary: fc.constant({ do: "merge" as const }) },
  { weight: 4, arbitrary: plain },
);

/**
 * A random program; that of a join looks at its inputs as well.
 *
 * @param focus instructions that it shall have often
 */
export function stepProgram(kind: "step" | "join", focus: readonly Instruction[] = []): fc.Arbitrary<StepProgram> {
  const instruction = fc.oneof(
    { weight: 1, arbitrary: kind === "join" ? joining : plain },
    ...(focus.length === 0 ? [] : [{ weight: 1, arbitrary: fc.constantFrom(...focus) }]),
  );
  const branch = fc.record({
    do: fc.constant("if" as const),
    inner: fc.array(instruction, { minLength: 1, maxLength: 3 }),
  });
  return fc.array(fc.oneof({ weight: 6, arbitrary: instruction }, { weight: 1, arbitrary: branch }), {
    minLength: 1,
    maxLength: 6,
  });
}
