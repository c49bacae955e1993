import { expect, test } from "vitest";
import { untoldDetail } from "../../packages/core/src/wiring/open-stores.ts";

test("that the next command tells the bucket is said only where it will", () => {
  expect(untoldDetail("FLOW_STORAGE_UNAVAILABLE")).toMatch(/next command .* tells the bucket/);
  expect(untoldDetail("FLOW_PUBLISH_FORKED")).toMatch(/no command tells the bucket any more/);
});
