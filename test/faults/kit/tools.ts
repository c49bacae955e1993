/** Programs of the system that hurt other programs. They are there, or are installed, or the tests say why they skip. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";

/** Programs and the packages of Debian that bring them. */
const PACKAGES = { strace: "strace", faketime: "faketime", setpriv: "util-linux", mount: "mount" } as const;
const APT_LIMIT_MS = 120_000;

export const isRoot = process.getuid?.() === 0;

/**
 * Why a test cannot run here, said on stderr as well; undefined when it can. A program that is missing is installed where
 * that is possible: on a Debian, as root.
 */
export function whyNot(...tools: readonly (keyof typeof PACKAGES | "root" | "attach")[]): string | undefined {
  for (const tool of tools) {
    const reason = lack(tool);
    if (reason === undefined) continue;
    console.error(`SKIPPED: tests of faults that need ${tools.join(", ")}: ${reason}`);
    return reason;
  }
  return undefined;
}

/** The name of a test, with the reason when it cannot run. */
export function named(name: string, reason: string | undefined): string {
  return reason === undefined ? name : `${name} (skipped: ${reason})`;
}

function lack(tool: keyof typeof PACKAGES | "root" | "attach"): string | undefined {
  if (process.platform !== "linux") return "this is not Linux";
  if (tool === "root") return isRoot ? undefined : "needs root";
  if (tool === "attach") return isRoot || scope() === "0" ? undefined : "may not attach to a process (ptrace_scope)";
  if (isThere(tool)) return undefined;
  if (!isRoot) return `${tool} is not installed, and only root can install it`;
  spawnSync("apt-get", ["install", "-y", "--no-install-recommends", PACKAGES[tool]], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    timeout: APT_LIMIT_MS,
  });
  return isThere(tool) ? undefined : `${tool} is not installed, and apt-get could not install it`;
}

function isThere(tool: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${tool}`]).status === 0;
}

function scope(): string {
  try {
    return fs.readFileSync("/proc/sys/kernel/yama/ptrace_scope", "utf8").trim();
  } catch {
    return "0"; // A kernel without this rule.
  }
}
