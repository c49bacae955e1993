import { describe, expect, test } from "vitest";
import { isName, isProject, MAX_TAG_LENGTH, tagProblem } from "./names.ts";

describe("a name", () => {
  test.each(["a", "Train", "_", "$", "a1", "pickBest", "x".repeat(128), "constructor", "toString", "then"])(
    "may be %j",
    (text) => {
      expect(isName(text)).toBe(true);
    },
  );

  test.each([
    "",
    "1a",
    "a-b",
    "a b",
    "a.b",
    "a/b",
    "..",
    "ä",
    "x".repeat(129),
    "__proto__",
    "a\n",
    "\0",
    "<b>",
    "а" /* Cyrillic */,
  ])("cannot be %j", (text) => {
    expect(isName(text)).toBe(false);
  });
});

describe("a project", () => {
  test.each(["shop", "@acme/shop", "my-shop.eu", "a", "x".repeat(214), "Shop_2", "...", "@a.b/c.d"])(
    "may be %j",
    (text) => {
      expect(isProject(text)).toBe(true);
    },
  );

  test.each([
    "",
    ".",
    "..",
    "../shop",
    "/shop",
    "shop/",
    "a/b",
    "@acme/..",
    "@../shop",
    "@acme/a/b",
    "x".repeat(215),
    "a b",
    "a\n",
    "a\0",
    "\x1b[31m",
    "\u202eshop",
    "sh\u043ep" /* Cyrillic */,
    "a\\b",
    "C:",
  ])("cannot be %j", (text) => {
    expect(isProject(text)).toBe(false);
  });
});

describe("a tag", () => {
  test.each([
    "a",
    "prod:v1",
    "größe",
    "two words",
    "🌾",
    "a/b.c@d,e=f",
    "' OR 1=1 --",
    "%",
    "x".repeat(MAX_TAG_LENGTH),
    "日本",
  ])("may be %j", (tag) => {
    expect(tagProblem(tag)).toBeUndefined();
  });

  test.each([
    ["", "empty"],
    ["x".repeat(MAX_TAG_LENGTH + 1), "501 characters"],
    ["gro\u0308ße", "NFC"],
    ["a\ud800", "well-formed"],
    ["a\nb", "control"],
    ["\u001b[31m", "control"],
    ["a\u009bb", "control"],
    ["a\u2028b", "control"],
    ["\u202eprod", "control"],
    [" a", "white space"],
    ["a\u00a0", "white space"],
  ])("cannot be %j: %s", (tag, reason) => {
    expect(tagProblem(tag)).toContain(reason);
  });
});
