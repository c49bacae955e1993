import { defineConfig } from "vitest/config";
import millrace from "./packages/core/src/package/vitest.ts";

export default defineConfig({
  plugins: [millrace()],
  test: {
    include: ["packages/*/src/**/*.test.ts", "packages/ml/test/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 60_000,
    pool: "forks",
    maxWorkers: 2,
  },
});
