/**
 * Every TypeScript block of the README and the guide that begins with an import compiles. Blocks of one page lie in one
 * folder: `ts file=NAME.ts`, or a first line `// NAME.ts`, gives a block a name that others import; `ts fragment` is no
 * whole file and is left out.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { ROOT, readText, repositoryFiles } from "../kit/repository.ts";

const BLOCK = /^```ts(?: file=(\S+))?\n(?:\/\/ (\S+\.ts)\n)?(import[\s\S]*?)^```/gm;

test("the examples of the guide compile", () => {
  const folder = fs.realpathSync.native(fs.mkdtempSync(path.join(os.tmpdir(), "millrace-docs-")));
  try {
    let blocks = 0;
    for (const page of repositoryFiles(/^(README\.md|docs\/guide\/.*\.md|packages\/.*\/README\.md|flows\/.*\.md)$/)) {
      const place = path.join(folder, page.replaceAll(/[/.]/g, "-"));
      fs.mkdirSync(place);
      for (const [, given, commented, text] of readText(page).matchAll(BLOCK)) {
        const name = given ?? commented;
        blocks++;
        const file = path.join(place, name ?? `block-${blocks}.ts`);
        expect(fs.existsSync(file), `${page} has two blocks called ${name}`).toBe(false);
        fs.writeFileSync(file, text!);
      }
    }
    expect(blocks).toBeGreaterThan(20);
    fs.writeFileSync(path.join(folder, "package.json"), JSON.stringify({ name: "docs", type: "module" }));
    fs.writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify(configuration()));
    const compiler = path.join(ROOT, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", folder, "--pretty", "false"], {
      encoding: "utf8",
      cwd: folder,
    });
    expect([stdout, status]).toEqual(["", 0]);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

/** The tsconfig that the guide recommends, with the packages of this checkout. */
function configuration(): unknown {
  const recommended = /```json\n(\{[\s\S]*?\n\})\n```/.exec(readText("docs/guide/getting-started.md"));
  const { compilerOptions } = JSON.parse(recommended![1]!) as { readonly compilerOptions: object };
  const { compilerOptions: own } = JSON.parse(readText("tsconfig.json")) as {
    readonly compilerOptions: {
      readonly lib: readonly string[];
      readonly paths: Readonly<Record<string, readonly string[]>>;
    };
  };
  const paths = Object.fromEntries(
    Object.entries(own.paths).map(([name, files]) => [name, files.map((file) => path.join(ROOT, file))]),
  );
  const vitest = path.join(ROOT, "node_modules/vitest/dist");
  return {
    compilerOptions: {
      ...compilerOptions,
      noUncheckedIndexedAccess: true,
      lib: own.lib,
      types: ["node"],
      typeRoots: [path.join(ROOT, "node_modules/@types")],
      paths: {
        ...paths,
        vitest: [path.join(vitest, "index.d.ts")],
        "vitest/config": [path.join(vitest, "config.d.ts")],
      },
    },
    include: ["*/*.ts"],
  };
}
