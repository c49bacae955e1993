import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { readPackageJson } from "./package-root.ts";

export const CORE_NAME = "@millrace/core";

/** Whether a specifier means core or one of its subpaths. */
export function isCoreSpecifier(specifier: string): boolean {
  return specifier === CORE_NAME || specifier.startsWith(`${CORE_NAME}/`);
}

const ownFile = fileURLToPath(import.meta.url);
const ownFolder = findOwnFolder();

/** The folder of the running core's package.json. */
export function coreFolder(): string {
  return ownFolder;
}

/** Whether core runs from its TypeScript sources: only when core itself is being worked on. */
export const runsFromSource = ownFile.endsWith(".ts");

let version: string | undefined;

export function coreVersion(): string {
  version ??= String(readPackageJson(path.join(ownFolder, "package.json"))?.version ?? "0.0.0");
  return version;
}

/** The file of the running core that serves a specifier; undefined when core exports no such subpath. */
export function coreFileUrl(specifier: string): string | undefined {
  const subpath = specifier.slice(CORE_NAME.length + 1);
  if (runsFromSource) {
    const file =
      { "": "index.ts", register: "package/register.ts", vitest: "package/vitest.ts" }[subpath] ?? `${subpath}.ts`;
    const source = path.join(ownFolder, "src", file);
    return fs.existsSync(source) ? pathToFileURL(source).href : undefined;
  }
  try {
    // A package can name itself: this goes through the `exports` of the running core.
    return pathToFileURL(createRequire(ownFile).resolve(specifier)).href;
  } catch {
    return undefined;
  }
}

/**
 * Everything of the tools that decides what a bundle and its definitions look like, as one line: core and esbuild
 * versions, Node major, and the state of core's own files (their time changes with each build or install of core, so
 * work on core itself never meets definitions that an older core wrote).
 */
export function toolIdentity(): string {
  const files = runsFromSource ? sourceFiles() : [ownFile];
  const states = files.map((file) => {
    const stat = fs.statSync(file);
    return `${stat.size}.${stat.mtimeMs}`;
  });
  return `core ${coreVersion()} (${states.join(" ")}), esbuild ${esbuildVersion()}, node ${process.versions.node.split(".")[0]}`;
}

let esbuild: string | undefined;

/** The version of esbuild that this core uses, found without loading it. */
export function esbuildVersion(): string {
  esbuild ??= String(readPackageJson(createRequire(ownFile).resolve("esbuild/package.json"))?.version);
  return esbuild;
}

function sourceFiles(): readonly string[] {
  return ["flow", "package"].flatMap((room) => {
    const folder = path.join(ownFolder, "src", room);
    return fs.readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => path.join(folder, name));
  });
}

function findOwnFolder(): string {
  for (let folder = path.dirname(ownFile); ; folder = path.dirname(folder)) {
    if (readPackageJson(path.join(folder, "package.json"))?.name === CORE_NAME) return folder;
    if (folder === path.dirname(folder)) return path.dirname(ownFile);
  }
}
