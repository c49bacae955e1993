import { expect, test } from "vitest";
import type { Lineage } from "../events/lineage.ts";
import { lineageDot, lineageMermaid } from "./draw-lineage.ts";

const EVIL = 'a"]; b -> c\n<i>#x`end\\';

const lineage: Lineage = {
  schema: 1,
  direction: "up",
  root: "1",
  depth: 5,
  limit: 1_000,
  isWhole: false,
  runs: [
    { id: "1", run: "end/1", isHere: true, status: "succeeded", depth: 0 },
    { id: "2", run: EVIL, isHere: false, depth: 1, more: 3 },
  ],
  links: [
    {
      from: "2",
      to: "1",
      kind: "upstream",
      name: "model",
      selector: { kind: "tags", tags: [EVIL] },
      reads: Array.from({ length: 10 }, (_, index) => ({
        artifact: `x${index}`,
        codec: "cbor",
        digest: "0".repeat(64),
        tasks: 1,
        steps: ["start"],
        task: "start",
      })),
    },
  ],
};

test("a name can neither end its string nor add a node, in DOT", () => {
  const lines = lineageDot(lineage).trimEnd().split("\n");
  expect(lines).toHaveLength(8);
  expect(lines[5]).toBe('  r1 [label="a\\"]; b -> c\\n<i>#x`end\\\\\\nnot in this store\\n3 more", style=dashed];');
  // Each line of ours has one string, closed where it should be.
  for (const line of lines.slice(4, 7)) expect(line.replaceAll(/\\./g, "").match(/"/g)).toHaveLength(2);
});

test("nor in Mermaid", () => {
  const lines = lineageMermaid(lineage).trimEnd().split("\n");
  expect(lines).toHaveLength(4);
  expect(lines[2]).toBe('  r1(["a#quot;]; b -#gt; c #lt;i#gt;#35;x#96;end\\<br/>not in this store<br/>3 more"])');
  expect(lines[3]).toMatch(/x7 0{12}<br\/>2 more"\| r0$/);
});
