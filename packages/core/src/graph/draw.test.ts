import { describe, expect, test } from "vitest";
import { flowOf } from "../../../../test/kit/flow-of.ts";
import { checkGraph } from "./check-graph.ts";
import { drawDot } from "./draw-dot.ts";
import { drawMermaid } from "./draw-mermaid.ts";
import { drawText } from "./draw-text.ts";
import { graphJson } from "./graph-json.ts";

const graph = checkGraph(
  flowOf({
    start: { foreach: "contenders", next: "evaluate" },
    evaluate: { foreach: "folds", next: "fold" },
    fold: { next: "folds" },
    folds: { join: true, next: "best" },
    best: { join: true, next: "judge" },
    judge: { on: "verdict", next: { good: "publish", "so-so": "publish", bad: "end" } },
    publish: { next: ["mail", "web"] },
    mail: { next: "both" },
    web: { next: "both" },
    both: { join: true, next: "end" },
    end: {},
  }),
);

describe("drawings of a graph", () => {
  test("text: one line a step, moved in under its foreach", () => {
    expect(drawText(graph)).toBe(
      [
        "Example",
        "",
        "start       foreach contenders → evaluate",
        "│ evaluate  foreach folds → fold",
        "│ │ fold    → folds",
        "│ folds     join items of evaluate → best",
        "best        join items of start → judge",
        "judge       choose on verdict: good → publish, so-so → publish, bad → end",
        "publish     → mail, web",
        "mail        → both",
        "web         → both",
        "both        join mail, web → end",
        "end",
        "",
      ].join("\n"),
    );
  });

  test("dot: boxes for foreach, dashed transitions for choices", () => {
    const dot = drawDot(graph);
    expect(dot).toContain('digraph "Example" {');
    expect(dot).toContain(
      '  subgraph "cluster_start" {\n    label="foreach contenders";\n    "evaluate" [shape=box];\n    subgraph "cluster_start/evaluate" {\n      label="foreach folds";\n      "fold" [shape=box];\n    }\n    "folds" [shape=trapezium];\n  }',
    );
    expect(dot).toContain('  "judge" -> "publish" [label="good, so-so", style=dashed];');
  });

  test("mermaid: ids of its own, since end is a word of Mermaid", () => {
    const lines = drawMermaid(graph).split("\n");
    expect(lines[0]).toBe("flowchart LR");
    expect(lines).toContain('  subgraph fs0["foreach contenders"]');
    expect(lines).toContain('  s10(["end"])');
    expect(lines).toContain('  s5 -.->|"bad"| s10');
    expect(lines.filter((line) => line.trim() === "end")).toHaveLength(2);
  });

  test("loops stand in boxes, and what repeats them is marked", () => {
    const looped = checkGraph(
      flowOf({
        start: { foreach: "drafts", next: "write" },
        write: { next: "read" },
        read: { foreach: "readers", next: "note" },
        note: { next: { again: "note", said: "notes" } },
        notes: { join: true, next: "judge" },
        judge: { next: { poor: "write", good: "all" } },
        all: { join: true, next: "end" },
        end: {},
      }),
    );
    expect(drawText(looped)).toBe(
      [
        "Example",
        "",
        "start         foreach drafts → write",
        "│ ↻ write     → read",
        "│ ↻ read      foreach readers → note",
        "│ ↻ │ ↻ note  choose on mode: again ↻ note, said → notes",
        "│ ↻ notes     join items of read → judge",
        "│ ↻ judge     choose on mode: poor ↻ write, good → all",
        "all           join items of start → end",
        "end",
        "",
      ].join("\n"),
    );
    expect(drawDot(looped)).toContain(
      [
        '  subgraph "cluster_start" {',
        '    label="foreach drafts";',
        '    subgraph "cluster_start/~write" {',
        '      label="loop write";',
        '      "write" [shape=box];',
        '      "read" [shape=box];',
        '      subgraph "cluster_start/~write/read" {',
        '        label="foreach readers";',
        '        subgraph "cluster_start/~write/read/~note" {',
        '          label="loop note";',
        '          "note" [shape=diamond];',
        "        }",
        "      }",
        '      "notes" [shape=trapezium];',
        '      "judge" [shape=diamond];',
        "    }",
        "  }",
      ].join("\n"),
    );
    expect(drawDot(looped)).toContain('  "judge" -> "write" [label="poor", style=dashed, constraint=false];');
    const lines = drawMermaid(looped).split("\n");
    expect(lines).toContain('    subgraph ls1["loop write"]');
    expect(lines).toContain('  s5 -.->|"poor"| s1');
    const json = graphJson(looped);
    expect(json.loops).toEqual([
      { header: "write", body: ["write", "read", "note", "notes", "judge"] },
      { header: "note", body: ["note"] },
    ]);
    expect(json.steps.find(({ name }) => name === "note")).toMatchObject({
      scope: ["start", "read"],
      loops: ["write", "note"],
    });
    expect(json.edges.filter(({ repeats }) => repeats).map(({ from, to }) => [from, to])).toEqual([
      ["note", "note"],
      ["judge", "write"],
    ]);
  });

  test("case values are escaped", () => {
    const odd = checkGraph(
      flowOf({ start: { next: { 'say "hi"\\\n': "end", "<b>#1|`x`": "more" } }, more: { next: "end" }, end: {} }),
    );
    expect(drawDot(odd)).toContain('[label="say \\"hi\\"\\\\\\n", style=dashed]');
    expect(drawMermaid(odd)).toContain('|"#lt;b#gt;#35;1|#96;x#96;"|');
    expect(drawMermaid(odd)).toContain('|"say #quot;hi#quot;\\ "|');
  });
});
