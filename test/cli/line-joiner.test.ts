import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LineJoiner, MAX_WAITING } from "../../packages/cli/src/render/line-joiner.ts";

const AT = new Date("2026-05-04T12:00:00.000Z");

/** Lines of a text that comes in these pieces, and what it left unfinished at each of them. */
function join(pieces: readonly string[], isAsWritten = false) {
  const lines: string[] = [];
  const joiner = new LineJoiner((line) => lines.push(line.text), { isAsWritten });
  const unfinished = pieces.map((piece) => {
    joiner.add(piece, AT);
    return joiner.unfinished;
  });
  joiner.finish();
  return { lines, unfinished };
}

describe("lines from pieces", () => {
  test("are whole, wherever the pieces end, and the last one is given at the end", () => {
    expect(join(["a", "b\nc", "\n", "\nd"]).lines).toEqual(["ab", "c", "", "d"]);
    expect(join(["a", "b\nc", "\n", "\nd"]).unfinished).toEqual(["a", "c", "", "d"]);
  });

  test("of a line that is redrawn, the last state counts, and a carriage return alone takes nothing away", () => {
    expect(join(["10 %\r50", " %\r", "100 %\r", "\n"])).toEqual({
      lines: ["100 %"],
      unfinished: ["50", "50 %", "100 %", ""],
    });
    expect(join(["one\r\ntwo\r", "\n"]).lines).toEqual(["one", "two"]);
    expect(join(["10 %\r50 %\r\n"], true).lines).toEqual(["10 %\r50 %\r"]);
  });

  test("do not depend on how the text was cut", () => {
    const texts = fc.array(fc.constantFrom("a", "é🌊", "\n", "\r", "\r\n", " "), { maxLength: 40 });
    fc.assert(
      fc.property(texts, fc.array(fc.nat(60), { maxLength: 6 }), fc.boolean(), (parts, cuts, isAsWritten) => {
        const text = parts.join("");
        const at = [0, ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b), text.length];
        const pieces = at.slice(1).map((end, index) => text.slice(at[index], end));
        expect(join(pieces, isAsWritten).lines).toEqual(join([text], isAsWritten).lines);
        if (isAsWritten) expect(join(pieces, true).lines.join("\n")).toBe(text.replace(/\n$/, ""));
      }),
    );
  });

  test("have the time at which they began", () => {
    const times: (readonly [string, number])[] = [];
    const joiner = new LineJoiner(({ text, at }) => times.push([text, at.getTime()]), { isAsWritten: false });
    joiner.add("a", new Date(1));
    joiner.add("b\nc", new Date(2));
    joiner.add("\n", new Date(3));
    expect(times).toEqual([
      ["ab", 1],
      ["c", 2],
    ]);
  });

  test("a line of 100 MB comes in pieces, and never is more of it held", () => {
    let characters = 0;
    let longest = 0;
    const joiner = new LineJoiner(
      ({ text }) => {
        characters += text.length;
        longest = Math.max(longest, text.length);
      },
      { isAsWritten: false },
    );
    const piece = "x".repeat(10_007);
    for (let index = 0; index < 10_000; index++) {
      joiner.add(piece, AT);
      longest = Math.max(longest, joiner.unfinished.length);
    }
    joiner.add("\n", AT);
    expect([characters, longest]).toEqual([10_000 * piece.length, MAX_WAITING]);
  });

  test("a line that ends where a piece was full is not followed by an empty one, and no pair is cut in half", () => {
    expect(join([`${"x".repeat(MAX_WAITING)}\nnext\n\n`]).lines.map((line) => line.length)).toEqual([
      MAX_WAITING,
      4,
      0,
    ]);
    const [first, second] = join([`${"x".repeat(MAX_WAITING - 1)}🌊end`]).lines;
    expect([first?.isWellFormed(), second]).toEqual([true, "end"]);
  });

  test("a progress bar of 100 MB holds one state of it", () => {
    const lines: string[] = [];
    const joiner = new LineJoiner(({ text }) => lines.push(text), { isAsWritten: false });
    for (let index = 0; index < 1_000_000; index++) joiner.add(`\r${"#".repeat(99)}`, AT);
    joiner.add(" done\n", AT);
    expect(lines).toEqual([`${"#".repeat(99)} done`]);
  });
});
