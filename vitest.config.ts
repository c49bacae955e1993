import { defineConfig } from "vitest/config";
import millrace from "./packages/core/src/package/vitest.ts";
import { clearSurroundings } from "./test/kit/surroundings.ts";

// Before any test has a process: all of them have what this one has.
const moved = clearSurroundings(process.env);
if (moved !== undefined) console.warn(moved);

export default defineConfig({
  plugins: [millrace()],
  test: {
    testTimeout: 60_000,
    pool: "forks",
    // One more than the two cores of CI: about a fifth of the time of two is spent waiting, for processes, clocks and disks.
    maxWorkers: 3,
    projects: [
      {
        extends: true,
        test: {
          name: "units",
          include: ["packages/*/src/**/*.test.ts"],
          // They leave nothing behind, so many of them have one process, and load the framework once.
          isolate: false,
        },
      },
      {
        extends: true,
        test: { name: "whole", include: ["packages/ml/test/**/*.test.ts", "test/**/*.test.ts"] },
      },
    ],
  },
});
