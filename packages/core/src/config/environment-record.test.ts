import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { resolveConfig } from "./config.ts";
import { readEnvironmentRecord } from "./environment-record.ts";
import { readGitState } from "./git-state.ts";
import { hideSecrets, withoutCredentials } from "./hide-secrets.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "millrace-environment-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const ENVIRONMENT = { PATH: process.env.PATH, HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1" };

function git(...args: string[]): string {
  return execFileSync(
    "git",
    ["-c", "user.name=ana", "-c", "user.email=ana@example.org", "-c", "init.defaultBranch=main", ...args],
    { cwd: root, env: ENVIRONMENT, encoding: "utf8" },
  ).trim();
}

test("a clean repository gives commit, branch and remote without credentials", async () => {
  git("init", "-q");
  writeFileSync(join(root, "a.txt"), "a");
  git("add", ".");
  git("commit", "-qm", "first");
  git("remote", "add", "origin", "https://ana:geheim@example.org/shop.git");
  expect(await readGitState(root, ENVIRONMENT)).toEqual({
    sha: git("rev-parse", "HEAD"),
    branch: "main",
    dirty: false,
    remote: "https://example.org/shop.git",
  });
});

test("changed and untracked files make it dirty, a detached head has no branch", async () => {
  git("init", "-q");
  writeFileSync(join(root, "a.txt"), "a");
  git("add", ".");
  git("commit", "-qm", "first");
  git("checkout", "-q", "--detach");
  expect(await readGitState(root, ENVIRONMENT)).toEqual({ sha: git("rev-parse", "HEAD"), dirty: false });
  writeFileSync(join(root, "b.txt"), "b");
  expect((await readGitState(root, ENVIRONMENT))?.dirty).toBe(true);
});

test("changes of known files have a digest: the same for the same changes, whatever the user's settings", async () => {
  git("init", "-q");
  writeFileSync(join(root, "a.txt"), "a\n");
  git("add", ".");
  git("commit", "-qm", "first");
  writeFileSync(join(root, "new.txt"), "not known to git");
  expect(await readGitState(root, ENVIRONMENT)).toMatchObject({ dirty: true });
  expect(await readGitState(root, ENVIRONMENT)).not.toHaveProperty("diffDigest");
  writeFileSync(join(root, "a.txt"), "b\n");
  const changed = (await readGitState(root, ENVIRONMENT))?.diffDigest;
  expect(changed).toMatch(/^[0-9a-f]{64}$/);
  git("config", "diff.noprefix", "true");
  git("config", "color.ui", "always");
  git("config", "diff.context", "9");
  git("add", "a.txt"); // staged or not, the files are the same
  expect((await readGitState(root, ENVIRONMENT))?.diffDigest).toBe(changed);
  writeFileSync(join(root, "a.txt"), "c\n");
  expect((await readGitState(root, ENVIRONMENT))?.diffDigest).not.toBe(changed);
  writeFileSync(join(root, "a.txt"), "a\n");
  git("add", "a.txt");
  expect(await readGitState(root, ENVIRONMENT)).not.toHaveProperty("diffDigest");
});

test("no repository, no commit, no git and no folder give nothing and do not throw", async () => {
  expect(await readGitState(root, ENVIRONMENT)).toBeUndefined();
  expect(await readGitState(root, { PATH: "/nonexistent" })).toBeUndefined();
  expect(await readGitState(join(root, "gone"), ENVIRONMENT)).toBeUndefined();
  git("init", "-q");
  expect(await readGitState(root, ENVIRONMENT)).toBeUndefined();
});

test("another repository that the environment points at is not looked at", async () => {
  git("init", "-q");
  git("commit", "-q", "--allow-empty", "-m", "first");
  expect(await readGitState(tmpdir(), { ...ENVIRONMENT, GIT_DIR: join(root, ".git") })).toBeUndefined();
});

test("a git that hangs is left after the limit", async () => {
  const bin = join(root, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "git"), "#!/bin/sh\nexec sleep 30\n");
  chmodSync(join(bin, "git"), 0o755);
  const before = performance.now();
  expect(
    await readGitState(root, { ...ENVIRONMENT, PATH: `${bin}${delimiter}${process.env.PATH}` }, 100),
  ).toBeUndefined();
  expect(performance.now() - before).toBeLessThan(5_000);
});

test("a tree whose changes cannot be told in time counts as dirty", async () => {
  git("init", "-q");
  git("commit", "-q", "--allow-empty", "-m", "first");
  const real = execFileSync("which", ["git"], { env: ENVIRONMENT, encoding: "utf8" }).trim();
  const bin = mkdtempSync(join(tmpdir(), "millrace-git-"));
  writeFileSync(
    join(bin, "git"),
    `#!/bin/sh\ncase " $* " in *" status "*) exec sleep 30 ;; esac\nexec "${real}" "$@"\n`,
  );
  chmodSync(join(bin, "git"), 0o755);
  try {
    const environment = { ...ENVIRONMENT, PATH: `${bin}${delimiter}${process.env.PATH}` };
    expect(await readGitState(root, environment, 1_000)).toEqual({ sha: git("rev-parse", "HEAD"), dirty: true });
  } finally {
    rmSync(bin, { recursive: true, force: true });
  }
});

test("the record says who, where and with what", async () => {
  const config = resolveConfig({ cwd: root, environment: { MILLRACE_USER: "ana" } });
  const record = await readEnvironmentRecord({
    config,
    environment: ENVIRONMENT,
    command: ["run", "train.ts", "--pin", "1234"],
    secretFlags: ["pin"],
  });
  expect(record).toMatchObject({
    node: process.version,
    arch: process.arch,
    actor: "ana",
    cwd: root,
    command: ["run", "train.ts", "--pin", "…"],
  });
  expect(record).not.toHaveProperty("git");
});

test("values of secret flags are hidden in both spellings, other values are not", () => {
  expect(
    hideSecrets(["run", "--api-key", "s3", "--db-password=s4", "--accessToken=s5", "--rows", "7", "--pin=1"], ["pin"]),
  ).toEqual(["run", "--api-key", "…", "--db-password=…", "--accessToken=…", "--rows", "7", "--pin=…"]);
  expect(hideSecrets(["--token", "--rows", "7"])).toEqual(["--token", "--rows", "7"]);
  expect(hideSecrets(["--source", "postgres://ana:geheim@db/shop"])).toEqual(["--source", "postgres://db/shop"]);
  expect(hideSecrets(["--keyboard", "qwertz", "--tokenizer", "bpe"])).toEqual([
    "--keyboard",
    "qwertz",
    "--tokenizer",
    "bpe",
  ]);
});

test("remotes keep their host and path and lose everything secret", () => {
  expect(withoutCredentials("https://token@example.org/a/b.git?x=1#y")).toBe("https://example.org/a/b.git");
  expect(withoutCredentials("ssh://git:geheim@example.org/a.git")).toBe("ssh://git@example.org/a.git");
  expect(withoutCredentials("git@example.org:a/b.git")).toBe("git@example.org:a/b.git");
  expect(withoutCredentials("ana:geheim@example.org:a/b.git")).toBe("example.org:a/b.git");
  expect(withoutCredentials("../other.git")).toBe("../other.git");
});
