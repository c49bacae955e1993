import fs from "node:fs";

let known: { readonly libc: string | undefined } | undefined;

/**
 * The C library that native packages are linked with, and its version: `glibc 2.36`, or `musl` alone. It cannot change while
 * the process runs. Undefined where there is one alone (macOS, Windows), or where nothing tells it.
 *
 * The small script `ldd` says it, as the package detect-libc found; the report of Node, which knows it exactly, takes some
 * ten times as long as all else that is recorded, and is asked only where there is no such script.
 */
export function readLibc(): string | undefined {
  known ??= { libc: process.platform === "linux" ? (fromLdd() ?? fromReport()) : undefined };
  return known.libc;
}

function fromLdd(): string | undefined {
  try {
    return libcOfLdd(fs.readFileSync("/usr/bin/ldd", "latin1"));
  } catch {
    return undefined;
  }
}

/** @param text of `/usr/bin/ldd` */
export function libcOfLdd(text: string): string | undefined {
  const [, version] = /(?:GLIBC|GNU libc)[^\n]*?\b(\d+\.\d+)\b/.exec(text) ?? [];
  if (version !== undefined) return `glibc ${version}`;
  return /\bld-musl\b/.test(text) ? "musl" : undefined;
}

interface Report {
  readonly header?: { readonly glibcVersionRuntime?: string };
  readonly sharedObjects?: readonly string[];
}

function fromReport(): string | undefined {
  // The types of Node do not know the setting yet.
  const report = process.report as (NodeJS.ProcessReport & { excludeNetwork?: boolean }) | undefined;
  if (report === undefined) return undefined;
  const before = report.excludeNetwork ?? false;
  report.excludeNetwork = true; // It would look up names of hosts.
  try {
    const { header, sharedObjects = [] } = report.getReport() as unknown as Report;
    if (header?.glibcVersionRuntime !== undefined) return `glibc ${header.glibcVersionRuntime}`;
    return sharedObjects.some((file) => /\bmusl\b/.test(file)) ? "musl" : undefined;
  } catch {
    return undefined;
  } finally {
    report.excludeNetwork = before;
  }
}
