import fc from "fast-check";
import { expect, test } from "vitest";
import { SecretMask } from "./secret-mask.ts";

const streamed = (mask: SecretMask, pieces: readonly string[]): string => {
  const stream = mask.stream();
  return pieces.map((piece) => stream.push(piece)).join("") + stream.end();
};

test("a secret is masked wherever it stands, also within what JSON and URLs make of it", () => {
  const mask = new SecretMask(['a "b"\\c', "k/ey=1"]);
  expect(mask.text('x a "b"\\c y k/ey=1 z')).toBe("x *** y *** z");
  expect(mask.text(JSON.stringify({ v: 'a "b"\\c' }))).toBe('{"v":"***"}');
  expect(mask.text(encodeURIComponent("k/ey=1"))).toBe("***");
});

test("of secrets that begin alike the longer one is masked as a whole, in one piece or in several", () => {
  const mask = new SecretMask(["abc", "abcdef"]);
  expect(mask.text("abcdef abc")).toBe("*** ***");
  expect(streamed(mask, ["abc", "def", " abc"])).toBe("*** ***");
});

test("a secret that is complete is not torn apart by its own last letters", () => {
  expect(streamed(new SecretMask(["abab"]), ["xabab", "y"])).toBe("x***y");
});

test("lines of a secret of several lines are secret too; what is very short is none", () => {
  const mask = new SecretMask(["BEGIN\nlong-enough-line\nEND", "ab", 17, undefined]);
  expect(mask.text("long-enough-line END ab 17")).toBe("*** END ab 17");
});

test("errors are masked in all of their texts", () => {
  const error = {
    code: "X",
    name: "Error",
    message: "m secret",
    context: { list: ["secret"], n: 1 },
    cause: { code: "Y", name: "E", message: "secret" },
  };
  expect(new SecretMask(["secret"]).error(error)).toEqual({
    ...error,
    message: "m ***",
    context: { list: ["***"], n: 1 },
    cause: { ...error.cause, message: "***" },
  });
});

test("however a text is cut into pieces, no secret of it is left, and the rest is", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 30 });
  fc.assert(
    fc.property(
      fc.array(letters, { maxLength: 8 }),
      fc.array(fc.string({ unit: fc.constantFrom("a", "b"), minLength: 3, maxLength: 5 }), {
        minLength: 1,
        maxLength: 3,
      }),
      (pieces, secrets) => {
        const masked = streamed(new SecretMask(secrets), pieces);
        expect(secrets.filter((secret) => masked.includes(secret))).toEqual([]);
        expect(masked.split("c").length).toBe(pieces.join("").split("c").length);
      },
    ),
  );
});
