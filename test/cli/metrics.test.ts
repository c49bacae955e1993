/** Runs sorted, found and compared by their metrics, with the real command. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { metricText, sparkline } from "../../packages/cli/src/render/metric.ts";
import { isLowerBetter } from "../../packages/core/src/client/compare-runs.ts";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";

const project = new Project({
  "train.ts": flowText(
    "Train",
    `readonly rate = param(z.coerce.number().default(0.5)); readonly kind = param(z.string().default("tree"));
     @step({ next: "end" }) start() {
       for (const step of [0, 1, 2, 3]) this.log.metric("val/loss", (4 - step) * this.rate, { step });
       if (this.kind !== "none") this.log.metric("r2", this.kind === "bad" ? Number.NaN : 1 - this.rate);
     }
     @step() end() {}`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

beforeAll(async () => {
  for (const options of [["0.5"], ["0.1"], ["0.3", "bad"], ["0.2", "none"]]) {
    const [rate, kind = "tree"] = options;
    const { code, stderr } = await project.here(["run", "train.ts", "--rate", rate!, "--kind", kind, "--quiet"]);
    expect([code, stderr]).toEqual([0, expect.anything()]);
  }
}, 120_000);

const listed = async (...words: readonly string[]): Promise<readonly string[]> => {
  const { code, lines } = await project.flow(["runs", ...words, "--json"]);
  expect(code).toBe(0);
  return lines.map(({ run }) => run);
};

describe("flow runs", () => {
  test("sorts by a metric: the highest first, or the lowest; NaN and nothing last", async () => {
    expect(await listed("Train", "--sort", "metric:r2")).toEqual(["Train/2", "Train/1", "Train/4", "Train/3"]);
    expect(await listed("--sort", "metric:val/loss", "--ascending", "-n", "2")).toEqual(["Train/2", "Train/4"]);
    expect(await listed("Train", "--sort", "param:rate")).toEqual(["Train/1", "Train/3", "Train/4", "Train/2"]);
    const table = await project.flow(["runs", "Train", "--sort", "metric:r2", "-n", "1"]);
    expect(table.stdout).toMatch(/RUN\s+STATUS\s+r2\s+CREATED/);
    expect(table.stdout).toMatch(/Train\/2\s+succeeded\s+0\.9\s/);
    expect(table.stderr).toContain("3 more: flow runs Train --sort metric:r2 --limit 4");
    expect((await project.flow(["runs", "--sort", "metric:none"])).stderr).toContain(
      'No run recorded the metric "none"',
    );
  });

  test("finds by metrics and parameters, and tells the values", async () => {
    expect(await listed("--where", "metric:r2>=0.5")).toEqual(["Train/2", "Train/1"]);
    expect(await listed("--where", "metric:r2>=0.5", "--where", "param:rate=0.1")).toEqual(["Train/2"]);
    expect(await listed("--where", "param:kind=bad")).toEqual(["Train/3"]);
    const { lines } = await project.flow(["runs", "--json", "-n", "2"]);
    expect(lines.map(({ metrics }) => metrics)).toEqual([{ "val/loss": 0.2 }, { r2: "NaN", "val/loss": 0.3 }]);
  });

  test.each([
    ["--sort", "r2"],
    ["--sort", "metric:"],
    ["--sort", "param:a-b"],
    ["--where", "metric:r2"],
    ["--where", "metric:r2>high"],
    ["--where", "metric:a b>1"],
    ["--where", "param:rate>1"],
  ])("refuses %s %s", async (flag, value) => {
    const { code, stderr } = await project.flow(["runs", flag, value]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("FLOW_CLI_BAD_VALUE")]);
  });
});

describe("flow compare", () => {
  test("puts runs side by side and marks the best", async () => {
    const { code, stdout } = await project.flow(["compare", "Train/1", "Train/2", "Train/3"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\s+Train\/1\s+Train\/2\s+Train\/3\n/);
    expect(stdout).toMatch(/--rate\s+0\.5\s+0\.1\s+0\.3\n/);
    expect(stdout).toMatch(/r2\s+0\.5\s+0\.9 \*\s+NaN\n/);
    expect(stdout).toMatch(/val\/loss\s+0\.5\s+0\.1 \*\s+0\.3\n/);
    const other = await project.flow(["compare", "Train/1", "Train/2", "--higher", "val/loss", "--lower", "r2"]);
    expect(other.stdout).toMatch(/r2\s+0\.5 \*\s+0\.9\n/);
    expect(other.stdout).toMatch(/val\/loss\s+0\.5 \*\s+0\.1\n/);
  });

  test("tells only what differs, and all of it as JSON", async () => {
    const { stdout } = await project.flow(["compare", "Train/1", "Train/2", "--differing"]);
    expect(stdout).not.toContain("--kind");
    const { lines } = await project.flow(["compare", "Train/2", "Train/4", "--json"]);
    expect(lines[0]).toMatchObject({
      runs: [{ run: "Train/2" }, { run: "Train/4" }],
      parameters: [
        { name: "kind", values: ["tree", "none"], isSame: false },
        { name: "rate", values: [0.1, 0.2] },
      ],
      metrics: [
        { name: "r2", values: [0.9, null], better: "higher", best: [] },
        { name: "val/loss", values: [0.1, 0.2], better: "lower", best: [0] },
      ],
      code: [{ name: "package", isSame: true }],
    });
  });

  test("needs two runs that are there", async () => {
    expect((await project.flow(["compare", "Train/1"])).code).toBe(2);
    expect((await project.flow(["compare", "Train/1", "Train/99"])).code).toBe(1);
  });
});

test("flow show lists metrics with their course", async () => {
  const { stdout } = await project.flow(["show", "Train/1"]);
  expect(stdout).toMatch(/NAME\s+LAST\s+STEP\s+VALUES\s+LOWEST\s+HIGHEST\n/);
  expect(stdout).toMatch(/val\/loss\s+0\.5\s+3\s+4\s+0\.5\s+2\n/);
  expect(stdout).not.toContain("▁");
});

test.each([
  ["loss", true],
  ["val/loss", true],
  ["valLoss", true],
  ["rmse@test", true],
  ["error_rate", true],
  ["r2", false],
  ["accuracy", false],
  ["glossary", false],
])("%s: less is better is %s", (name, lower) => {
  expect(isLowerBetter(name)).toBe(lower);
});

test("a course is drawn from the lowest to the highest value, in as many bars as there is room", () => {
  expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8)).toBe("▁▂▃▄▅▆▇█");
  expect(sparkline([0, 0, 8, 8], 2)).toBe("▁█");
  expect(sparkline([3, 3, 3], 8)).toBe("▄▄▄");
  expect(sparkline([1, Number.NaN, 2, Number.POSITIVE_INFINITY], 8)).toBe("▁ █ ");
  expect(sparkline([-Number.MAX_VALUE, Number.MAX_VALUE], 8)).toBe("▁█");
  expect(sparkline([], 8)).toBe("");
});

test("values are shown by the digits that count", () => {
  expect([0.1 + 0.2, 12345678, 1.5e-9, Number.NaN, "Infinity", undefined, -0.5].map(metricText)).toEqual([
    "0.3",
    "12345678",
    "1.5e-9",
    "NaN",
    "Infinity",
    "",
    "-0.5",
  ]);
});
