import fc from "fast-check";
import { expect, test } from "vitest";
import type { TaskSequence } from "../metadata/metadata-store.ts";
import { OutputSplitter, type PipeMark, writeMark } from "./output-splitter.ts";

const NONCE = "0123abcd";
const attempt = (task: number): PipeMark => ({ kind: "attempt", task: task as TaskSequence, attempt: 1 });

/** What is read, as one text: bytes as they are, marks in brackets. */
function read(pieces: readonly Buffer[]): string {
  let told = "";
  const splitter = new OutputSplitter(
    NONCE,
    (mark) => {
      told += `[${mark.kind === "attempt" ? mark.task : mark.kind === "end" ? `end ${mark.batch}` : "nobody"}]`;
    },
    (bytes) => {
      told += bytes.toString("latin1");
    },
  );
  for (const piece of pieces) splitter.push(piece);
  splitter.end();
  return told;
}

test("marks tell whose bytes follow", () => {
  const marks = [attempt(7), { kind: "nobody" }, { kind: "end", batch: 3 }] as const;
  const bytes = marks.flatMap((mark, index) => [Buffer.from(`text ${index}`), writeMark(NONCE, mark)]);
  expect(read([Buffer.concat(bytes)])).toBe("text 0[7]text 1[nobody]text 2[end 3]");
});

test("what only looks like a mark is output", () => {
  const texts = [`\0${NONCE}other words\n`, "\0\0\0", `\0${NONCE.slice(0, 5)}`, `\0ffff${NONCE}a1.1\n`];
  for (const text of texts) expect(read([Buffer.from(`${text}after`)])).toBe(`${text}after`);
});

test("however a pipe is read in pieces, the same comes out", () => {
  const part = fc.oneof(
    fc.constantFrom("\0", "\n", `\0${NONCE}`, `\0${NONCE.slice(0, 3)}`, "a", "line\n").map((text) => Buffer.from(text)),
    fc.nat(99).map((task) => writeMark(NONCE, attempt(task))),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), fc.array(fc.nat(200), { maxLength: 10 }), (parts, cuts) => {
      const whole = Buffer.concat(parts);
      const at = [0, ...cuts.map((cut) => Math.min(cut, whole.length)).sort((a, b) => a - b), whole.length];
      const pieces = at.slice(1).map((end, index) => whole.subarray(at[index], end));
      expect(read(pieces)).toBe(read([whole]));
    }),
  );
});
