import { describe, expect, it } from "vitest";
import { seededRandom } from "../random.ts";
import { htmlPage } from "./html-page.ts";
import { plotPredictedVsTrue } from "./predicted-vs-true.ts";
import { linearScale, tickLabel } from "./scale.ts";
import { plotScores } from "./scores.ts";

const random = seededRandom(1);
const truth = Float64Array.from({ length: 1500 }, () => random.normal() * 50);
const predicted = truth.map((value) => value * 0.6 + random.normal() * 10);
const count = (text: string, part: string): number => text.split(part).length - 1;

describe("plotPredictedVsTrue", () => {
  it("draws at most 1,000 points, the same for the same seed, and names axes, line and score", () => {
    const svg = plotPredictedVsTrue({ truth, predicted, unit: "minutes", seed: 3 });
    expect(count(svg, '<circle class="point"')).toBe(1000);
    expect(count(svg, '<line class="identity"')).toBe(1);
    expect(svg).toContain(">Predicted (minutes)</text>");
    expect(svg).toContain(">True (minutes)</text>");
    expect(svg).toContain("over 1,500 rows, 1,000 of them drawn");
    expect(plotPredictedVsTrue({ truth, predicted, unit: "minutes", seed: 3 })).toBe(svg);
    expect(plotPredictedVsTrue({ truth, predicted, unit: "minutes", seed: 4 })).not.toBe(svg);
  });

  it("draws one point, equal values, and no line where the axes share no value", () => {
    expect(count(plotPredictedVsTrue({ truth: [1], predicted: [1] }), "<circle")).toBe(1);
    expect(plotPredictedVsTrue({ truth: [1, 2], predicted: [100, 101] })).not.toContain('identity" x1');
    expect(() => plotPredictedVsTrue({ truth: [1], predicted: [Number.NaN] })).toThrow("not finite");
  });
});

describe("plotScores", () => {
  it("draws a box for each contender and marks the best", () => {
    const svg = plotScores({
      contenders: [
        { name: "0 RandomForest", scores: [0.1, 0.2, 0.3] },
        { name: "1 GradientBoosting", scores: [0.4, 0.5] },
      ],
      metric: "R²",
    });
    expect(count(svg, '<rect class="box"')).toBe(2);
    expect(count(svg, '<circle class="dot"')).toBe(5);
    expect(count(svg, '<g class="best">')).toBe(1);
    expect(svg).toContain("Best: 1 GradientBoosting, mean 0.450");
    expect(svg).toContain(">Model</text>");
    expect(svg).toContain(">Score (R²)</text>");
  });

  it("draws contenders of one fold and refuses those of none", () => {
    expect(count(plotScores({ contenders: [{ name: "a", scores: [-0.2] }] }), '<line class="median"')).toBe(1);
    expect(() => plotScores({ contenders: [] })).toThrow("no contenders");
    expect(() => plotScores({ contenders: [{ name: "a", scores: [] }] })).toThrow("mean of no values");
  });
});

describe("documents", () => {
  it("escape every text and load nothing from anywhere", () => {
    const evil = `</title><script>alert("1")</script>&\u0000'`;
    const svg = plotScores({ title: evil, contenders: [{ name: evil, scores: [1, 2] }] });
    const page = htmlPage({ title: evil, lead: evil, figures: [svg] });
    for (const text of [svg, page]) {
      expect(text).not.toContain("<script");
      expect(text).not.toContain("\u0000");
      expect(text.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:|url\(|@import|src=/);
    }
    expect(page).toContain("default-src 'none'");
    expect(page).toContain("prefers-color-scheme:dark");
    expect(svg).toContain("<desc>");
  });
});

describe("linearScale", () => {
  it("gives round ticks that hold all values", () => {
    expect(linearScale([-3.2, 41], [0, 100]).ticks).toEqual([-10, 0, 10, 20, 30, 40, 50]);
    expect(linearScale([0.1, 0.32], [0, 100]).ticks).toEqual([0.1, 0.15, 0.2, 0.25, 0.3, 0.35]);
    expect(linearScale([5, 5], [0, 100]).ticks.length).toBeGreaterThan(2);
    expect(linearScale([], [0, 100]).ticks.length).toBeGreaterThan(2);
    expect(tickLabel(-0.15)).toBe("−0.15");
    expect(tickLabel(12_000)).toBe("12,000");
  });
});
