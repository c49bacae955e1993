import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import type { EnvironmentRecord } from "../events/run-record.ts";
import type { Environment } from "./config.ts";
import { findGitFolder, originInConfig } from "./git-folder.ts";
import { withoutCredentials } from "./hide-secrets.ts";

/** How long git may take before its answer is left out: a huge or remote working tree must not delay a run. */
export const GIT_LIMIT_MS = 2_000;

/**
 * The state of the git working tree around a folder; undefined outside of one, without git, or when nothing can be said
 * in time. Never throws. When only the question for changes takes too long, the tree counts as dirty: not known to be clean.
 *
 * Git is asked once where files tell the rest, and once more for a digest of the changes, where there are some: each
 * process costs the start of a run some milliseconds.
 *
 * @param limitMs for all questions together
 */
export async function readGitState(
  cwd: string,
  environment: Environment,
  limitMs: number = GIT_LIMIT_MS,
): Promise<EnvironmentRecord["git"]> {
  const folder = findGitFolder(cwd);
  if (folder === undefined) return undefined;
  const end = performance.now() + limitMs;
  const place = { cwd, environment };
  const git = (...args: readonly string[]) => runGit(args, place, end - performance.now());
  const origin = originInConfig(folder);
  // `status` tells commit, branch and changes at once. Both run side by side: their times must not add up.
  const [status, remote] = await Promise.all([
    git("status", "--porcelain=v2", "--branch"),
    origin === "ask" ? git("config", "--get", "remote.origin.url") : origin?.url,
  ]);
  // Beyond the limit: a question that reads two files.
  const sha =
    status === undefined ? (await runGit(["rev-parse", "HEAD"], place, limitMs))?.trim() : header(status, "branch.oid");
  if (sha === undefined || !/^[0-9a-f]{40,64}$/.test(sha)) return undefined; // also a repository without a commit
  const branch = status === undefined ? undefined : header(status, "branch.head");
  const changes = status?.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const isChanged = changes?.some((line) => !line.startsWith("?")) === true;
  const diffDigest = isChanged ? await digestOfChanges(place, end - performance.now()) : undefined;
  const url = remote?.trim();
  return {
    sha,
    ...(branch === undefined || branch === "(detached)" ? {} : { branch }),
    dirty: changes === undefined || changes.length > 0,
    ...(diffDigest === undefined ? {} : { diffDigest }),
    ...(url === undefined || url === "" ? {} : { remote: withoutCredentials(url) }),
  };
}

/** The value of a header line of `git status`: `# branch.head main`. */
function header(status: string, name: string): string | undefined {
  const start = `# ${name} `;
  return status
    .split("\n")
    .find((line) => line.startsWith(start))
    ?.slice(start.length)
    .trim();
}

/** Variables by which git would look at another repository than the one around `cwd` (a git hook sets them). */
const MISLEADING = new Set(["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"]);

interface GitPlace {
  readonly cwd: string;
  readonly environment: Environment;
}

function optionsOf({ cwd, environment }: GitPlace, limitMs: number) {
  const env = Object.fromEntries(Object.entries(environment).filter(([name]) => !MISLEADING.has(name)));
  return {
    cwd,
    // No optional locks: `git status` must not write to the index of a user who is in the middle of something.
    env: { ...env, GIT_OPTIONAL_LOCKS: "0" },
    timeout: Math.max(1, Math.ceil(limitMs)), // of Node: a whole number
    killSignal: "SIGKILL" as const,
    windowsHide: true,
  };
}

/** No monitor: a setting of the repository must not start a program. */
const QUIET = ["-c", "core.fsmonitor=false"];

function runGit(args: readonly string[], place: GitPlace, limitMs: number): Promise<string | undefined> {
  const options = { ...optionsOf(place, limitMs), maxBuffer: 16 * 1024 * 1024 };
  return new Promise((resolve) => {
    try {
      execFile("git", [...QUIET, ...args], options, (error, stdout) => resolve(error === null ? stdout : undefined));
    } catch {
      resolve(undefined); // `cwd` may be gone.
    }
  });
}

/** Settings of the user must not change the text, and no program that the repository names is started for it. */
const DIFF = ["diff", "HEAD", "--binary", "--full-index", "--no-renames", "--no-color", "--no-ext-diff"].concat(
  ["--no-textconv", "--unified=3", "--diff-algorithm=myers", "--src-prefix=a/", "--dst-prefix=b/"],
  ["--ignore-submodules=none"],
);

/** SHA-256 of what changed in files that git knows; two runs with the same commit and digest ran from the same files. */
function digestOfChanges(place: GitPlace, limitMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    try {
      const sum = createHash("sha256");
      const git = spawn("git", [...QUIET, ...DIFF], {
        ...optionsOf(place, limitMs),
        stdio: ["ignore", "pipe", "ignore"],
      });
      git.stdout.on("data", (piece: Buffer) => sum.update(piece));
      git.on("error", () => resolve(undefined));
      git.on("close", (code) => resolve(code === 0 ? sum.digest("hex") : undefined));
    } catch {
      resolve(undefined);
    }
  });
}
