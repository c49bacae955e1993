import { expect, test } from "vitest";
import { createPaint, wantsColour } from "../../packages/cli/src/render/output.ts";
import { renderTable } from "../../packages/cli/src/render/table.ts";
import { byteSize, displayWidth, harmless, harmlessLine, truncate } from "../../packages/cli/src/render/text.ts";

const plain = createPaint(false);
const columns = [
  { title: "RUN" },
  { title: "TAGS", shrinkTo: 6 },
  { title: "TOOK", align: "right" as const },
  { title: "NOTE", shrinkTo: 4 },
];

test("a table aligns its columns and leaves out empty ones", () => {
  const rows = [
    ["Train/1", "a", "9.1 s", ""],
    ["Train/17", "prod:v1", "850 ms", ""],
  ];
  expect(renderTable(columns, rows, { paint: plain, width: 80 })).toBe(
    ["RUN       TAGS       TOOK", "Train/1   a         9.1 s", "Train/17  prod:v1  850 ms", ""].join("\n"),
  );
});

test("a table fits the width by cutting the widest columns, never the id", () => {
  const id = "Train/1234567890";
  const text = renderTable(columns, [[id, "a-very-long-tag-name-indeed", "1.0 s", "a note that is long as well"]], {
    paint: plain,
    width: 50,
  });
  const lines = text.trimEnd().split("\n");
  for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(50);
  expect(text).toContain(id);
  expect(text.match(/…/g)).toHaveLength(2);
});

test("a table narrower than what must stay keeps the id whole", () => {
  const text = renderTable(columns, [["Train/1234567890", "tag-tag-tag", "1.0 s", "note-note"]], {
    paint: plain,
    width: 10,
  });
  expect(text).toContain("Train/1234567890");
  expect(text).toContain("tag-t…");
});

test("wide characters and colours count as what they take on the screen", () => {
  expect(displayWidth("日本")).toBe(4);
  expect(displayWidth("e\u0301")).toBe(1);
  expect(displayWidth("\x1b[31mred\x1b[0m")).toBe(3);
  expect(truncate("日本語", 5)).toBe("日本…");
  expect(truncate("\x1b[31mcrimson\x1b[0m", 4)).toBe("\x1b[31mcri…\x1b[0m");
  expect(truncate("abc", 3)).toBe("abc");
});

test("text of a task keeps its colours and loses every other control", () => {
  const evil = "\x1b[31mred\x1b[2J\x1b]0;title\x07\x1b[10A\x1b(0 \x9b2J\x08 \u202eabc\x1b";
  expect(harmless(evil, { colours: true })).toBe("\x1b[31mred \ufffd2J\u2408 \ufffdabc\x1b[0m");
  expect(harmless(evil, { colours: false })).toBe("red \ufffd2J\u2408 \ufffdabc");
  expect(harmless("\x1b\x1b[2J[2Jx", { colours: true })).toBe("[2Jx");
});

test("of a line that redraws itself the last state is shown", () => {
  expect(harmlessLine("10 %\r50 %\r100 %", { colours: false })).toBe("100 %");
  expect(harmlessLine("a\tb", { colours: false })).toBe("a    b");
});

test("colours follow NO_COLOR, then FORCE_COLOR, then the terminal", () => {
  expect(wantsColour(true, {})).toBe(true);
  expect(wantsColour(false, {})).toBe(false);
  expect(wantsColour(true, { NO_COLOR: "1", FORCE_COLOR: "1" })).toBe(false);
  expect(wantsColour(true, { NO_COLOR: "" })).toBe(true);
  expect(wantsColour(false, { FORCE_COLOR: "1" })).toBe(true);
  expect(wantsColour(true, { FORCE_COLOR: "0" })).toBe(false);
});

test("sizes are rounded to the next unit", () => {
  expect([0, 999, 1000, 999_960, 1_500_000, 2e12].map(byteSize)).toEqual([
    "0 B",
    "999 B",
    "1.0 KB",
    "1.0 MB",
    "1.5 MB",
    "2.0 TB",
  ]);
});
