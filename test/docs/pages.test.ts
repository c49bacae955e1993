/** What documents promise about themselves: links lead somewhere, and every error code has its heading. */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { codeTable } from "../../packages/core/src/errors/code-table.ts";
import { ROOT, readText, repositoryFiles } from "../kit/repository.ts";

const pages = repositoryFiles(/\.md$/);

test("relative links lead to files and headings that are there", () => {
  const broken: string[] = [];
  let links = 0;
  for (const page of pages) {
    for (const [, target] of withoutCode(readText(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      links++;
      const [file, heading] = target!.split("#") as [string, string?];
      const full = file === "" ? page : path.posix.join(path.posix.dirname(page), file);
      if (!existsSync(ROOT + full)) broken.push(`${page}: ${target}`);
      else if (heading !== undefined && statSync(ROOT + full).isFile() && !anchors(readText(full)).has(heading))
        broken.push(`${page}: ${target} has no such heading`);
    }
  }
  expect(broken).toEqual([]);
  expect(links).toBeGreaterThan(50);
});

test("docs/errors.md is what the table of codes says", () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, ["scripts/write-error-docs.mjs", "--print"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  expect([status, status === 0 ? "" : stderr]).toEqual([0, ""]);
  expect(readText("docs/errors.md"), "run node scripts/write-error-docs.mjs").toBe(stdout);
  const headings = [...stdout.matchAll(/^### (\w+)$/gm)].map((match) => match[1]);
  expect(headings).toEqual(Object.keys(codeTable));
});

function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, "").replaceAll(/`[^`\n]*`/g, "code");
}

/** Anchors as GitHub makes them from headings. */
function anchors(text: string): ReadonlySet<string> {
  return new Set(
    [...text.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/^#+ (.*)$/gm)].map((match) =>
      match[1]!
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}
