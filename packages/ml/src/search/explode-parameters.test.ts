import { afterEach, describe, expect, it, vi } from "vitest";
import { type Distribution, loguniform, randint, uniform } from "./distribution.ts";
import { explodeParameters, type ParameterSpec } from "./explode-parameters.ts";

afterEach(() => vi.restoreAllMocks());

describe("explodeParameters of a grid", () => {
  it("sorts the keys and lets the last one change fastest", () => {
    expect(explodeParameters({ b: [1, 2, 3], a: ["x", "y"] }, { seed: 0 })).toEqual([
      { a: "x", b: 1 },
      { a: "x", b: 2 },
      { a: "x", b: 3 },
      { a: "y", b: 1 },
      { a: "y", b: 2 },
      { a: "y", b: 3 },
    ]);
    expect(Object.keys(explodeParameters({ b: [1], a: [1] }, { seed: 0 })[0]!)).toEqual(["a", "b"]);
  });

  it("concatenates the spaces of a list in their order", () => {
    expect(explodeParameters([{ a: [2] }, { a: [1, 3] }], { seed: 0 })).toEqual([{ a: 2 }, { a: 1 }, { a: 3 }]);
  });

  it("an empty space is one empty point, and no spaces give none", () => {
    expect(explodeParameters({}, { seed: 0 })).toEqual([{}]);
    expect(explodeParameters([], { seed: 0 })).toEqual([]);
  });

  it("tells everything that is wrong at once", () => {
    const spec = { a: 3, b: [], c: randint(0, 4) } as unknown as ParameterSpec;
    expect(() => explodeParameters([{ a: [1] }, spec], { seed: 0 })).toThrow(
      'space 1: "a" is 3, not a list; space 1: "b" is an empty list; space 1: "c" is a distribution, which needs "nIter"',
    );
  });
});

describe("explodeParameters with nIter", () => {
  const space: ParameterSpec = {
    nIter: 200,
    model: ["A", "B"],
    depth: randint(2, 5),
    rate: loguniform(0.01, 1),
    share: uniform(0.5, 0.6),
  };

  it("draws as many points as asked for, within the bounds, and leaves nIter out", () => {
    const points = explodeParameters(space, { seed: 7 });
    expect(points).toHaveLength(200);
    expect(new Set(points.map((point) => point.depth))).toEqual(new Set([2, 3, 4]));
    expect(new Set(points.map((point) => point.model))).toEqual(new Set(["A", "B"]));
    expect(points.every((point) => Number(point.rate) >= 0.01 && Number(point.rate) < 1)).toBe(true);
    expect(points.every((point) => Number(point.share) >= 0.5 && Number(point.share) < 0.6)).toBe(true);
    expect(points.filter((point) => Number(point.rate) < 0.1).length).toBeGreaterThan(60);
    expect(points.some((point) => "nIter" in point)).toBe(false);
  });

  it("gives the same points for the same seed, others for another, and changes nothing", () => {
    const before = structuredClone(space);
    expect(explodeParameters(space, { seed: 7 })).toEqual(explodeParameters(space, { seed: 7 }));
    expect(explodeParameters(space, { seed: 8 })).not.toEqual(explodeParameters(space, { seed: 7 }));
    expect(space).toEqual(before);
  });

  it("a space that is added behind leaves the draws of the first alone", () => {
    const alone = explodeParameters(space, { seed: 7 });
    expect(explodeParameters([space, { a: [1] }], { seed: 7 }).slice(0, 200)).toEqual(alone);
  });

  it("with a distribution draws are independent, so points may repeat", () => {
    const points = explodeParameters({ nIter: 10, a: randint(0, 2) }, { seed: 1 });
    expect(points).toHaveLength(10);
    expect(new Set(points.map((point) => point.a)).size).toBe(2);
  });

  it("with lists only draws without replacement", () => {
    const points = explodeParameters({ nIter: 11, a: [1, 2, 3, 4], b: [1, 2, 3] }, { seed: 1 });
    expect(new Set(points.map((point) => `${point.a} ${point.b}`)).size).toBe(11);
  });

  it("samples a space of a billion billion points without listing it", () => {
    const values = Array.from({ length: 1000 }, (_, index) => index);
    const points = explodeParameters({ nIter: 5, a: values, b: values, c: values, d: values, e: values }, { seed: 1 });
    expect(new Set(points.map((point) => JSON.stringify(point))).size).toBe(5);
  });

  it("warns when the grid is smaller than asked for, and gives all of it", () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    expect(explodeParameters({ nIter: 9, a: [1, 2], b: [3] }, { seed: 1 })).toEqual([
      { a: 1, b: 3 },
      { a: 2, b: 3 },
    ]);
    expect(warn).toHaveBeenCalledWith(
      expect.stringContaining("2 points, fewer than the 9 asked for"),
      expect.objectContaining({ code: "ML_SEARCH_SMALLER_THAN_ASKED" }),
    );
  });

  it("does not warn when exactly the whole grid is asked for", () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    expect(explodeParameters({ nIter: 2, a: [1, 2] }, { seed: 1 })).toHaveLength(2);
    expect(warn).not.toHaveBeenCalled();
  });

  it("refuses bounds that make no sense, also of a distribution read from a file", () => {
    expect(() => randint(3, 3)).toThrow(
      "Cannot draw from randint(3, 3): the lower bound must be below the upper bound",
    );
    expect(() => loguniform(0, 1)).toThrow("the lower bound must be above 0");
    expect(() => randint(0.5, 3)).toThrow("both bounds must be whole numbers");
    const foreign: Distribution = { distribution: "uniform", low: 2, high: 1 };
    expect(() => explodeParameters({ nIter: 1, a: foreign }, { seed: 1 })).toThrow("the lower bound must be below");
    expect(() => explodeParameters({ nIter: 0, a: [1] }, { seed: 1 })).toThrow(
      '"nIter" is 0, not a whole number from 1',
    );
  });
});
