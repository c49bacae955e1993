import fc from "fast-check";
import { expect, test } from "vitest";
import { unifiedDiff } from "./unified-diff.ts";

/** What `patch` would make of it. */
function apply(left: string, diff: string): string {
  const lines = left.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const out: string[] = [];
  let at = 0;
  const rows = diff.split("\n").slice(0, -1);
  for (const [index, row] of rows.entries()) {
    const header = /^@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@$/.exec(row);
    const text = `${row.slice(1)}${rows[index + 1]?.startsWith("\\") ? "" : "\n"}`;
    if (header !== null) {
      const start = header[2] === "0" ? Number(header[1]) : Number(header[1]) - 1;
      out.push(...lines.slice(at, start));
      at = start;
    } else if (row.startsWith("\\")) continue;
    else if (row.startsWith("+")) out.push(text);
    else {
      expect(lines[at], row).toBe(text);
      if (row.startsWith(" ")) out.push(lines[at]!);
      at++;
    }
  }
  return [...out, ...lines.slice(at)].join("");
}

test("a diff leads from the left text to the right one, whatever they are", () => {
  const text = fc
    .array(fc.constantFrom("a", "b", "c", "", "long line"), { maxLength: 40 })
    .chain((lines) => fc.constantFrom(lines.join("\n"), `${lines.join("\n")}\n`));
  fc.assert(
    fc.property(text, text, (left, right) => {
      expect(apply(left, unifiedDiff(left, right))).toBe(right);
    }),
    { numRuns: 500 },
  );
});

test("it is the shortest, with three lines around and hunks of their own", () => {
  const lines = Array.from({ length: 30 }, (_, index) => `line ${index}\n`);
  const changed = lines.with(4, "new\n").toSpliced(20, 1);
  expect(unifiedDiff(lines.join(""), changed.join(""))).toBe(`@@ -2,7 +2,7 @@
 line 1
 line 2
 line 3
-line 4
+new
 line 5
 line 6
 line 7
@@ -18,7 +18,6 @@
 line 17
 line 18
 line 19
-line 20
 line 21
 line 22
 line 23
`);
});

test("a missing line break at the end is a difference, and equal texts have none", () => {
  expect(unifiedDiff("a\nb", "a\nb\n")).toBe("@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n");
  expect(unifiedDiff("", "a\n")).toBe("@@ -0,0 +1 @@\n+a\n");
  expect(unifiedDiff("a", "a")).toBe("");
});

test("texts that have nothing in common are shown as replaced, in time", () => {
  const [left, right] = ["l", "r"].map((side) => Array.from({ length: 20_000 }, (_, at) => `${side}${at}\n`).join(""));
  const diff = unifiedDiff(left!, right!);
  expect(diff.startsWith("@@ -1,20000 +1,20000 @@\n-l0\n")).toBe(true);
});
