import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findGitFolder, originInConfig } from "./git-folder.ts";

let root: string;
beforeEach(() => {
  root = realpathSync.native(mkdtempSync(join(tmpdir(), "millrace-git-")));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const git = (cwd: string, ...args: readonly string[]): string =>
  execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    env: { PATH: process.env.PATH, HOME: root, GIT_CONFIG_NOSYSTEM: "1" },
  }).trim();

test("the repository is that of the nearest folder upwards, and that of a linked working tree its main one", () => {
  expect(findGitFolder(root)).toBeUndefined();
  mkdirSync(join(root, "main/deep/deeper"), { recursive: true });
  git(join(root, "main"), "init", "-q");
  expect(findGitFolder(join(root, "main/deep/deeper"))).toBe(join(root, "main/.git"));
  git(join(root, "main"), "commit", "-q", "--allow-empty", "-m", "first");
  git(join(root, "main"), "worktree", "add", "-q", join(root, "linked"));
  expect(findGitFolder(join(root, "linked"))).toBe(join(root, "main/.git"));
  mkdirSync(join(root, "odd"));
  writeFileSync(join(root, "odd/.git"), "not what git writes");
  expect(findGitFolder(join(root, "odd"))).toBeUndefined();
});

describe("the address of origin is what git says", () => {
  const ask = (): string | undefined => {
    try {
      return git(root, "config", "--get", "remote.origin.url");
    } catch {
      return undefined;
    }
  };

  test.each([
    ["none", ""],
    ["one", '[remote "origin"]\n\turl = https://example.org/shop.git\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n'],
    ["of ssh", '[remote "origin"]\n\turl = git@example.org:shop.git\n'],
    ["another remote's", '[remote "other"]\n\turl = https://example.org/other.git\n'],
    ["the last of two", '[remote "origin"]\n\turl = a\n[remote "other"]\n\turl = b\n[remote "origin"]\n\tURL=c\n'],
    ["without blanks", '[remote "origin"]\nurl=https://example.org/x\n[branch "main"]\nremote=origin\n'],
    ["with a push address", '[remote "origin"]\n\tpushurl = p\n\turl = u\n'],
  ])("%s", (_, text) => {
    git(root, "init", "-q");
    writeFileSync(join(root, ".git/config"), `[core]\n\trepositoryformatversion = 0\n\tbare = false\n${text}`);
    const found = originInConfig(join(root, ".git"));
    expect(found).not.toBe("ask");
    expect((found as { url: string } | undefined)?.url).toBe(ask());
  });

  test.each([
    ["it includes other settings", '[include]\n\tpath = other\n[remote "origin"]\n\turl = u\n'],
    ["it includes some on a condition", '[includeIf "gitdir:/x"]\n\tpath = other\n'],
    ["it is quoted", '[remote "origin"]\n\turl = "https://example.org/a b"\n'],
    ["a comment follows", '[remote "origin"]\n\turl = u ; or v\n'],
    ["it goes on in the next line", '[remote "origin"]\n\turl = u\\\nv\n'],
    ["the section is written in the old way", "[remote.origin]\n\turl = u\n"],
    ["working trees differ", '[extensions]\n\tworktreeConfig = true\n[remote "origin"]\n\turl = u\n'],
  ])("git is asked where %s", (_, text) => {
    mkdirSync(join(root, ".git"));
    writeFileSync(join(root, ".git/config"), text);
    expect(originInConfig(join(root, ".git"))).toBe("ask");
  });
});
