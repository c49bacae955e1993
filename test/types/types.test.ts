/**
 * What must compile and what must not, by the compiler itself.
 *
 * The files in `compiles/` and `refused/` are part of the ordinary type check: there, each `@ts-expect-error` says that
 * the next line is refused. Here the comments are taken away and the compiler runs again, so that the code and the text
 * that users would read are checked too: they stand behind each comment.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const here = import.meta.dirname;
const root = join(here, "../..");
const expectation = /^(\s*)\/\/ @ts-expect-error (\d+) (.+)$/;

interface Diagnostic {
  readonly file: string;
  readonly line: number;
  readonly code: number;
  readonly text: string;
}

const folder = mkdtempSync(join(tmpdir(), "millrace-types-"));
let diagnostics: readonly Diagnostic[] = [];

beforeAll(() => {
  for (const part of ["compiles", "refused"]) cpSync(join(here, part), join(folder, part), { recursive: true });
  for (const file of readdirSync(join(folder, "refused"))) {
    const path = join(folder, "refused", file);
    const lines = readFileSync(path, "utf8").split("\n");
    writeFileSync(path, lines.map((line) => line.replace(expectation, "$1// refused")).join("\n"));
  }
  const config = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: {
      rootDir: "/",
      typeRoots: [join(root, "node_modules/@types")],
      paths: {
        "@millrace/core": [join(root, "packages/core/src/index.ts")],
        "@millrace/core/testing": [join(root, "packages/core/src/testing/index.ts")],
      },
    },
    include: ["compiles", "refused"],
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const { stdout, error } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", folder, "--pretty", "false"], {
    cwd: folder,
    encoding: "utf8",
  });
  if (error !== undefined) throw error;
  diagnostics = parse(stdout);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** One diagnostic a line, continued on lines that are moved in. */
function parse(output: string): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const line of output.split("\n")) {
    const match = /^(\S+)\((\d+),\d+\): error TS(\d+): (.*)$/.exec(line);
    if (match !== null)
      found.push({ file: match[1]!, line: Number(match[2]), code: Number(match[3]), text: match[4]! });
    const last = found.at(-1);
    if (match === null && line.startsWith(" ") && last !== undefined)
      found[found.length - 1] = { ...last, text: `${last.text}\n${line.trim()}` };
  }
  return found;
}

test("every example compiles", () => {
  expect(diagnostics.filter(({ file }) => file.startsWith("compiles/"))).toEqual([]);
});

describe.each(readdirSync(join(here, "refused")))("refused/%s", (file) => {
  const lines = readFileSync(join(here, "refused", file), "utf8").split("\n");
  const expected = lines.flatMap((line, index) => {
    const match = expectation.exec(line);
    return match === null ? [] : [{ line: index + 2, code: Number(match[2]), text: match[3]! }];
  });

  test.each(expected)("line $line: TS$code $text", ({ line, code, text }) => {
    const found = diagnostics.filter((diagnostic) => diagnostic.file === `refused/${file}` && diagnostic.line === line);
    expect(found.map((diagnostic) => diagnostic.code)).toContain(code);
    expect(found.map((diagnostic) => diagnostic.text).join("\n")).toContain(text);
  });

  test("no other line is refused", () => {
    const allowed = new Set(expected.map(({ line }) => line));
    expect(expected.length).toBeGreaterThan(0);
    expect(
      diagnostics.filter((diagnostic) => diagnostic.file === `refused/${file}` && !allowed.has(diagnostic.line)),
    ).toEqual([]);
  });
});
