import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ALWAYS, type Condition, Conditions, NEVER } from "./condition.ts";

describe("conditions over choose steps", () => {
  test("different targets of one step exclude each other and together always hold", () => {
    const conditions = new Conditions();
    const [a, b, c] = [0, 1, 2].map((index) => conditions.chooses(0, 3, index)) as [Condition, Condition, Condition];
    expect(conditions.areExclusive(a, b)).toBe(true);
    expect(conditions.or(conditions.or(a, b), c)).toBe(ALWAYS);
    expect(conditions.and(a, conditions.or(b, c))).toBe(NEVER);
  });

  test("targets of different steps do not exclude each other", () => {
    const conditions = new Conditions();
    expect(conditions.areExclusive(conditions.chooses(0, 2, 0), conditions.chooses(1, 2, 1))).toBe(false);
  });

  test("any formula agrees with its truth table", () => {
    const arities = [2, 3, 2];
    type Formula =
      | { readonly kind: "is"; readonly rank: number; readonly index: number }
      | { readonly kind: "and" | "or"; readonly left: Formula; readonly right: Formula };
    const { formula } = fc.letrec<{ formula: Formula }>((tie) => ({
      formula: fc.oneof(
        { maxDepth: 4 },
        fc.nat(2).chain((rank) => fc.nat(arities[rank]! - 1).map((index) => ({ kind: "is" as const, rank, index }))),
        fc.record({
          kind: fc.constantFrom("and" as const, "or" as const),
          left: tie("formula"),
          right: tie("formula"),
        }),
      ),
    }));
    const holds = (part: Formula, world: readonly number[]): boolean =>
      part.kind === "is"
        ? world[part.rank] === part.index
        : part.kind === "and"
          ? holds(part.left, world) && holds(part.right, world)
          : holds(part.left, world) || holds(part.right, world);
    const worlds = [0, 1].flatMap((a) => [0, 1, 2].flatMap((b) => [0, 1].map((c) => [a, b, c])));
    fc.assert(
      fc.property(formula, formula, (left, right) => {
        const conditions = new Conditions();
        const build = (part: Formula): Condition =>
          part.kind === "is"
            ? conditions.chooses(part.rank, arities[part.rank]!, part.index)
            : conditions[part.kind](build(part.left), build(part.right));
        expect(conditions.areExclusive(build(left), build(right))).toBe(
          worlds.every((world) => !holds(left, world) || !holds(right, world)),
        );
        expect(build(left) === build(right)).toBe(worlds.every((world) => holds(left, world) === holds(right, world)));
      }),
      { numRuns: 300 },
    );
  });

  test("the number of nodes is bounded", () => {
    const conditions = new Conditions(3);
    for (let rank = 0; rank < 3; rank++) conditions.chooses(rank, 2, 0);
    expect(() => conditions.chooses(3, 2, 0)).toThrow(expect.objectContaining({ code: "FLOW_GRAPH_TOO_COMPLEX" }));
  });
});
