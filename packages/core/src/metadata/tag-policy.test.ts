import { describe, expect, test } from "vitest";
import { matchesPattern, patternProblem, policyFor, policyText } from "./tag-policy.ts";

describe("a pattern", () => {
  test.each([
    ["prod:*", "prod:v1", true],
    ["prod:*", "prod:", true],
    ["prod:*", "prod", false],
    ["prod:*", "xprod:v1", false],
    ["*:v1", "prod:v1", true],
    ["*:v1", "prod:v11", false],
    ["*", "", true],
    ["a*a", "a", false],
    ["a*a", "aa", true],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "a-c", false],
    ["a*bc*c", "abc", false],
    ["prod:?", "prod:1", false],
    ["prod:[1]", "prod:1", false],
    ["prod.*", "prodx1", false],
    ["größe:*", "größe:1", true],
    ["gro\u0308\u00dfe:*", "größe:1", true],
  ])("%j and the tag %j: %j", (pattern, tag, matches) => {
    expect(matchesPattern(pattern, tag)).toBe(matches);
  });

  test("takes no longer than its length times that of the tag", () => {
    const begin = performance.now();
    for (let round = 0; round < 1_000; round++) matchesPattern(`${"*a".repeat(10)}b`, "a".repeat(500));
    expect(performance.now() - begin).toBeLessThan(1_000);
  });

  test("has limits", () => {
    expect(patternProblem("*".repeat(10))).toBeUndefined();
    expect(patternProblem("*".repeat(11))).toBe("it has 11 stars, the limit is 10");
    expect(patternProblem("a".repeat(501))).toBe("it has 501 characters, the limit is 500");
  });
});

describe("of several policies", () => {
  test("the strictest of each property counts", () => {
    const policies = [
      { pattern: "prod:*", exclusive: true, allow: ["ana", "ben"], maxAgeMs: 9, requireChecks: ["V03"] },
      { pattern: "*:v1", protected: true, allow: ["ben", "cleo"], maxAgeMs: 5, requireChecks: ["V02", "V03"] },
      { pattern: "other", reasonRequired: true },
    ];
    expect(policyFor(policies, "prod:v1")).toEqual({
      patterns: ["prod:*", "*:v1"],
      exclusive: true,
      succeededOnly: false,
      protected: true,
      reasonRequired: false,
      allow: ["ben"],
      maxAgeMs: 5,
      requireChecks: ["V02", "V03"],
    });
    expect(policyFor(policies, "test:v2")).toBeUndefined();
  });

  test("lists that share no name allow nobody", () => {
    const policies = [
      { pattern: "p", allow: ["ana"] },
      { pattern: "*", allow: ["ben"] },
    ];
    expect(policyFor(policies, "p")?.allow).toEqual([]);
  });
});

test("equal policies are equal texts", () => {
  const one = policyText({ pattern: "p", exclusive: true, allow: ["b", "a", "b"], protected: false });
  expect(one).toBe('{"allow":["a","b"],"exclusive":true,"pattern":"p"}');
  expect(policyText({ pattern: "p", allow: ["a", "b"], exclusive: true })).toBe(one);
});
