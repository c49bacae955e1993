/** The files of this repository, for tests that look at the house itself. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Files that git tracks or would track, with forward slashes. */
export function repositoryFiles(pattern: RegExp = /./): readonly string[] {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  return listed.split("\n").filter((file) => file !== "" && pattern.test(file) && existsSync(ROOT + file));
}

export function readText(file: string): string {
  return readFileSync(ROOT + file, "utf8");
}

/** Sources of a package without its tests. */
export function sourcesOf(name: string): readonly string[] {
  return repositoryFiles(new RegExp(`^packages/${name}/src/.*\\.ts$`)).filter((file) => !file.endsWith(".test.ts"));
}

/** TypeScript without comments; strings stay. Lines keep their numbers. */
export function withoutComments(text: string): string {
  return text.replace(
    /("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|\/\*[\s\S]*?\*\/|(^|[^:\\])\/\/[^\n]*/g,
    (match, literal: string | undefined, before: string | undefined) =>
      literal ?? `${before ?? ""}${match.replace(/[^\n]/g, "")}`,
  );
}
