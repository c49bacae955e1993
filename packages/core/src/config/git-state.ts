import { execFile } from "node:child_process";
import type { EnvironmentRecord } from "../events/run-record.ts";
import type { Environment } from "./config.ts";
import { withoutCredentials } from "./hide-secrets.ts";

/** How long git may take before its answer is left out: a huge or remote working tree must not delay a run. */
export const GIT_LIMIT_MS = 2_000;

/**
 * The state of the git working tree around a folder; undefined outside of one, without git, or when nothing can be said
 * in time. Never throws. When only the question for changes takes too long, the tree counts as dirty: not known to be clean.
 */
export async function readGitState(
  cwd: string,
  environment: Environment,
  limitMs: number = GIT_LIMIT_MS,
): Promise<EnvironmentRecord["git"]> {
  const git = (...args: readonly string[]) => runGit(args, cwd, environment, limitMs);
  // `status` tells commit, branch and changes at once. Both run side by side: their times must not add up.
  const [status, remote] = await Promise.all([
    git("status", "--porcelain=v2", "--branch"),
    git("config", "--get", "remote.origin.url"),
  ]);
  const sha = status === undefined ? (await git("rev-parse", "HEAD"))?.trim() : header(status, "branch.oid");
  if (sha === undefined || !/^[0-9a-f]{40,64}$/.test(sha)) return undefined; // also a repository without a commit
  const branch = status === undefined ? undefined : header(status, "branch.head");
  const url = remote?.trim();
  return {
    sha,
    ...(branch === undefined || branch === "(detached)" ? {} : { branch }),
    dirty: status === undefined || status.split("\n").some((line) => line !== "" && !line.startsWith("#")),
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

function runGit(
  args: readonly string[],
  cwd: string,
  environment: Environment,
  limitMs: number,
): Promise<string | undefined> {
  const env = Object.fromEntries(Object.entries(environment).filter(([name]) => !MISLEADING.has(name)));
  // No optional locks: `git status` must not write to the index of a user who is in the middle of something. No monitor:
  // a setting of the repository must not start a program.
  const options = {
    cwd,
    env: { ...env, GIT_OPTIONAL_LOCKS: "0" },
    timeout: limitMs,
    killSignal: "SIGKILL" as const,
    maxBuffer: 16 * 1024 * 1024,
    windowsHide: true,
  };
  return new Promise((resolve) => {
    try {
      execFile("git", ["-c", "core.fsmonitor=false", ...args], options, (error, stdout) =>
        resolve(error === null ? stdout : undefined),
      );
    } catch {
      resolve(undefined); // `cwd` may be gone.
    }
  });
}
