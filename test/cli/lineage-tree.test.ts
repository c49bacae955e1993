import type { Lineage, LineageLink, LineageRun } from "@millrace/core/internal";
import { describeLink, describeState, lineageRunName } from "@millrace/core/internal";
import { expect, test } from "vitest";
import { renderLineage } from "../../packages/cli/src/render/lineage-tree.ts";
import { createPaint } from "../../packages/cli/src/render/output.ts";
import { displayWidth } from "../../packages/cli/src/render/text.ts";

const words = { describeLink, describeState, lineageRunName };
const style = { paint: createPaint(false), width: Number.POSITIVE_INFINITY };
const run = (id: string, depth: number, more: Partial<LineageRun> = {}): LineageRun => ({
  id,
  run: `Train/${id}`,
  isHere: true,
  status: "succeeded",
  depth,
  ...more,
});
const link = (to: string, from: string, more: Partial<LineageLink> = {}): LineageLink => ({
  from,
  to,
  kind: "upstream",
  name: "source",
  selector: { kind: "newest" },
  reads: [],
  ...more,
});
const lineage = (runs: readonly LineageRun[], links: readonly LineageLink[]): Lineage => ({
  schema: 1,
  direction: "up",
  root: runs[0]!.id,
  depth: 5,
  limit: 1_000,
  isWhole: true,
  runs,
  links,
});

test("a diamond and a circle are shown once, where they are nearest, and named elsewhere", () => {
  const text = renderLineage(
    lineage(
      [run("1", 0), run("2", 1), run("3", 1), run("4", 2, { parameters: { a: 1 } })],
      [link("1", "2"), link("1", "3"), link("2", "4"), link("2", "3"), link("3", "4"), link("4", "1")],
    ),
    words,
    style,
  );
  const lines = text.split("\n").filter((line) => !line.includes("nothing was read"));
  expect(lines).toEqual([
    "Train/1",
    "├─ source (newest): Train/2",
    "│  ├─ source (newest): Train/4",
    "│  │     parameters a=1".replace("     ", "  │  "),
    "│  │  └─ source (newest): Train/1 (above)",
    "│  └─ source (newest): Train/3 (below)",
    "└─ source (newest): Train/3",
    "   └─ source (newest): Train/4 (above)",
    "",
  ]);
});

test("every line fits the terminal, and text of others cannot leave its line", () => {
  const evil = "x\n\x1b[2Jy\u202e".repeat(20);
  const text = renderLineage(
    lineage(
      [run("1", 0, { tags: [evil], parameters: { [evil]: evil } }), run("2", 1, { isHere: false, run: evil })],
      [
        link("1", "2", {
          name: evil,
          reads: [{ artifact: evil, codec: "cbor", digest: "0".repeat(64), tasks: 1, steps: [], task: evil }],
        }),
      ],
    ),
    words,
    { ...style, width: 60 },
  );
  const lines = text.trimEnd().split("\n");
  expect(lines).toHaveLength(4);
  for (const line of lines) expect(displayWidth(line), line).toBeLessThanOrEqual(60);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there.
  expect(text).not.toMatch(/[\x1b\u202e]/);
});

test("a chain that is deeper than any stack is drawn", () => {
  const runs = Array.from({ length: 20_000 }, (_, index) => run(String(index), index));
  const links = runs.slice(1).map((_, index) => link(String(index), String(index + 1)));
  const text = renderLineage(lineage(runs, links), words, { ...style, width: 80 });
  const lines = text.trimEnd().split("\n");
  expect(lines).toHaveLength(39_999); // The first has no link to it, each other one says that nothing was read.
  expect(lines.at(-2)?.trim()).toBe("└─ (19999) source (newest): Train/19999");
}, 60_000);
