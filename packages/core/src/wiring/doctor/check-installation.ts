/** Node, the two packages of Millrace, and what of theirs is a binary: the parts that an installation gets wrong. */
import fs from "node:fs";
import path from "node:path";
import { MILLRACE_VERSION } from "../../config/version.ts";
import { CORE_NAME, coreFolder, esbuildVersion } from "../../package/core-package.ts";
import { foldersUpwards, readPackageJson } from "../../package/package-root.ts";
import { coreFilesCheck } from "./check-core-files.ts";
import type { Check, Found } from "./report.ts";

/** What `engines` in package.json asks for. */
const LEAST_NODE = [22, 15] as const;

export function installationChecks(input: {
  readonly cwd: string;
  readonly commandVersion?: string;
}): readonly Check[] {
  return [
    { area: "installation", check: "node", run: () => [nodeFinding()] },
    { area: "installation", check: "millrace", run: () => millraceFindings(input) },
    coreFilesCheck(),
    { area: "installation", check: "better-sqlite3", run: async () => [await sqliteFinding()] },
    { area: "installation", check: "esbuild", run: async () => [await esbuildFinding()] },
  ];
}

function nodeFinding(): Found {
  const { node } = process.versions;
  const [major = 0, minor = 0] = node.split(".").map(Number);
  const isOld = major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1]);
  const libc = libcText();
  const facts = { version: node, path: process.execPath, platform: process.platform, arch: process.arch, libc };
  return {
    check: "node",
    status: isOld ? "fail" : "ok",
    found: `${node} for ${process.platform} ${process.arch}${libc === undefined ? "" : `, ${libc}`}, at ${process.execPath}`,
    ...(isOld ? { next: `Install Node ${LEAST_NODE.join(".")} or newer, and see that it comes first in PATH` } : {}),
    facts,
  };
}

/** The C library decides which binaries can be loaded; only Linux has several. */
function libcText(): string | undefined {
  if (process.platform !== "linux") return undefined;
  const { report } = process as unknown as { report?: { excludeNetwork: boolean; getReport(): object } };
  if (report === undefined) return undefined;
  const before = report.excludeNetwork;
  report.excludeNetwork = true; // Asking the network for names takes seconds where there is none.
  try {
    const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
    return header?.glibcVersionRuntime === undefined ? "musl" : `glibc ${header.glibcVersionRuntime}`;
  } finally {
    report.excludeNetwork = before;
  }
}

/** The running core against the command, and against every other core that the project would load. */
function millraceFindings({
  cwd,
  commandVersion,
}: {
  readonly cwd: string;
  readonly commandVersion?: string;
}): readonly Found[] {
  const own = coreFolder();
  const others = coreCopies(cwd).filter(({ folder }) => folder !== own);
  const facts = { core: MILLRACE_VERSION, command: commandVersion, folder: own, others };
  if (commandVersion !== undefined && commandVersion !== MILLRACE_VERSION) {
    return [
      {
        check: "millrace",
        status: "fail",
        found: `the command is version ${commandVersion} and core ${MILLRACE_VERSION}, in ${own}`,
        next: `Install both in one version: npm install @millrace/cli@${commandVersion} ${CORE_NAME}@${commandVersion}`,
        facts,
      },
    ];
  }
  const [other] = others;
  if (other === undefined) return [{ check: "millrace", status: "ok", found: `${MILLRACE_VERSION}, in ${own}`, facts }];
  const isSame = others.every(({ version }) => version === MILLRACE_VERSION);
  return [
    {
      check: "millrace",
      status: isSame ? "warn" : "fail",
      found: `the command uses core ${MILLRACE_VERSION} in ${own}, and the project has ${others.length === 1 ? "another" : `${others.length} others`}: ${others.map(({ folder, version }) => `${version} in ${folder}`).join(", ")}`,
      next: `Keep one: call the command of the project (npx flow), or align the versions (npm ls ${CORE_NAME})`,
      facts,
    },
  ];
}

interface CoreCopy {
  readonly folder: string;
  readonly version: string;
}

/** Cores that a flow of this folder could import: in `node_modules` upwards, and in pnpm's store of each. */
function coreCopies(cwd: string): readonly CoreCopy[] {
  const found = new Map<string, CoreCopy>();
  const look = (folder: string): void => {
    const manifest = readPackageJson(path.join(folder, "package.json"));
    if (manifest?.name !== CORE_NAME) return;
    const real = fs.realpathSync(folder);
    found.set(real, { folder: real, version: String(manifest.version) });
  };
  for (const folder of foldersUpwards(cwd)) {
    const modules = path.join(folder, "node_modules");
    look(path.join(modules, CORE_NAME));
    const kept = path.join(modules, ".pnpm");
    if (!fs.existsSync(kept)) continue;
    const mark = `${CORE_NAME.replace("/", "+")}@`;
    for (const name of fs.readdirSync(kept))
      if (name.startsWith(mark)) look(path.join(kept, name, "node_modules", CORE_NAME));
  }
  return [...found.values()];
}

async function sqliteFinding(): Promise<Found> {
  try {
    const { default: Database } = await import("better-sqlite3");
    const db = new Database(":memory:");
    const version = String(db.prepare("SELECT sqlite_version()").pluck().get());
    db.close();
    return { check: "better-sqlite3", status: "ok", found: `loads, SQLite ${version}`, facts: { sqlite: version } };
  } catch (error) {
    return doesNotLoad("better-sqlite3", error);
  }
}

async function esbuildFinding(): Promise<Found> {
  try {
    const { transform, stop } = await import("esbuild");
    await transform("let works = 1"); // Its program is a binary of its own, which is started by the first call.
    await stop();
    const version = esbuildVersion();
    return { check: "esbuild", status: "ok", found: `starts, ${version}`, facts: { version } };
  } catch (error) {
    return doesNotLoad("esbuild", error);
  }
}

function doesNotLoad(name: string, error: unknown): Found {
  const [why = ""] = String(error instanceof Error ? error.message : error).split("\n");
  return {
    check: name,
    status: "fail",
    found: `cannot be loaded: ${why}`,
    next: "Delete node_modules and install again with this very Node and on this very system, with optional dependencies",
  };
}
