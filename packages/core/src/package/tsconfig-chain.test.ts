import { expect, test } from "vitest";
import { stripComments } from "./tsconfig-chain.ts";

test("comments and trailing commas go, what is in strings stays", () => {
  const text = `\uFEFF{
  // a line, with "quotes"
  "paths": { "@/*": ["./src/*", /* here */], },
  "url": "http://x/*y*/,]", "escaped": "\\\\", // end
}`;
  expect(JSON.parse(stripComments(text))).toEqual({
    paths: { "@/*": ["./src/*"] },
    url: "http://x/*y*/,]",
    escaped: "\\",
  });
});
