import { transform } from "esbuild";
import { defineConfig } from "vitest/config";

// vite 8 (oxc) leaves TC39 decorators as they are, so esbuild lowers them, as the flow loader does.
export default defineConfig({
  plugins: [
    {
      name: "millrace-decorators",
      enforce: "pre",
      async transform(code, id) {
        if (!/\.tsx?$/.test(id) || !/^\s*@\w/m.test(code)) return undefined;
        const result = await transform(code, { loader: "ts", target: "node22", sourcemap: true, sourcefile: id, keepNames: true });
        return { code: result.code, map: result.map };
      },
    },
  ],
  test: {
    include: ["packages/*/src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 60_000,
    pool: "forks",
    maxWorkers: 2,
  },
});
