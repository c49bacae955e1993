import { describe, expect, it } from "vitest";
import { deriveSeed, seededRandom } from "./random.ts";

describe("seededRandom", () => {
  it("gives the sequence that is pinned here, on every machine and in every version", () => {
    const random = seededRandom(7);
    expect([random.integer(0, 1000), random.integer(0, 1000), random.integer(0, 1000)]).toEqual(PINNED);
  });

  it("differs between seeds, also in the bits above 32", () => {
    const first = (seed: number): number => seededRandom(seed).next();
    expect(new Set([0, 1, -1, 2 ** 32, 2 ** 33, 2 ** 32 + 1].map(first)).size).toBe(6);
  });

  it("draws uniform and normal numbers with the moments that they should have", () => {
    const random = seededRandom(1);
    const count = 50_000;
    const moments = (draw: () => number): { mean: number; variance: number } => {
      const values = Array.from({ length: count }, draw);
      const mean = values.reduce((sum, value) => sum + value, 0) / count;
      return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count };
    };
    const uniform = moments(() => random.next());
    expect(uniform.mean).toBeCloseTo(0.5, 2);
    expect(uniform.variance).toBeCloseTo(1 / 12, 2);
    const normal = moments(() => random.normal());
    expect(Math.abs(normal.mean)).toBeLessThan(0.02);
    expect(Math.abs(normal.variance - 1)).toBeLessThan(0.03);
  });

  it("permutes: each number once, in an order that is not the sorted one", () => {
    const order = seededRandom(3).permutation(100);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect([...order]).not.toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  it("samples without replacement and refuses more items than there are", () => {
    expect(new Set(seededRandom(3).sample(10, 10)).size).toBe(10);
    expect(() => seededRandom(3).sample(3, 4)).toThrow("Cannot draw 4 different items out of 3");
    expect(() => seededRandom(0.5)).toThrow("it is no whole number");
  });
});

describe("deriveSeed", () => {
  it("gives other seeds for other parts, all of them 31-bit", () => {
    const seeds = Array.from({ length: 1000 }, (_, part) => deriveSeed(7, part));
    expect(new Set(seeds).size).toBe(1000);
    expect(seeds.every((seed) => seed >= 0 && seed < 2 ** 31)).toBe(true);
  });
});

const PINNED = [454, 416, 931];
