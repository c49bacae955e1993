import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { foldersUpwards, isInside } from "./package-root.ts";

/** What the bundler's result depends on in the tsconfig files that apply to a folder. */
export interface TsconfigChain {
  /** All files of the chain, the applying one first. */
  readonly files: readonly string[];
  /** Where a tsconfig would apply if it appeared. */
  readonly absent: readonly string[];
  /** The file that sets `experimentalDecorators: true`, when that is in force. */
  readonly legacyDecorators?: string;
  /** `paths` in force, its targets relative to `folder`. */
  readonly paths?: { readonly folder: string; readonly patterns: Readonly<Record<string, readonly string[]>> };
  readonly baseUrl?: string;
}

interface Settings {
  readonly files: readonly string[];
  readonly decorators?: { readonly value: boolean; readonly file: string };
  readonly paths?: { readonly folder: string; readonly patterns: Readonly<Record<string, readonly string[]>> };
  readonly baseUrl?: string;
}

const NAMES = ["tsconfig.json", "jsconfig.json"];
const MAX_DEPTH = 32;

/**
 * The tsconfig that esbuild applies to the files of a folder (the nearest one upwards) with all that it extends.
 * A file that cannot be parsed counts as empty here: the bundler reports it with its place.
 */
export function tsconfigChain(folder: string, root: string): TsconfigChain {
  const absent: string[] = [];
  for (const current of foldersUpwards(folder)) {
    for (const name of NAMES) {
      const file = path.join(current, name);
      if (!fs.existsSync(file)) {
        if (isInside(current, root)) absent.push(file);
        continue;
      }
      const { decorators, ...settings } = readSettings(file, 0);
      return { ...settings, absent, ...(decorators?.value === true ? { legacyDecorators: decorators.file } : {}) };
    }
  }
  return { files: [], absent };
}

function readSettings(file: string, depth: number): Settings {
  const content = parseJsonWithComments(file);
  let settings: Settings = { files: [] };
  const inherited: string[] = [];
  const parents =
    typeof content.extends === "string" ? [content.extends] : Array.isArray(content.extends) ? content.extends : [];
  for (const parent of depth < MAX_DEPTH ? parents : []) {
    const target = typeof parent === "string" ? resolveExtends(file, parent) : undefined;
    if (target === undefined) continue;
    const more = readSettings(target, depth + 1);
    inherited.push(...more.files);
    settings = { ...settings, ...more };
  }
  const options = isRecord(content.compilerOptions) ? content.compilerOptions : {};
  const folder = path.dirname(file);
  return {
    ...settings,
    files: [file, ...inherited],
    ...(typeof options.experimentalDecorators === "boolean"
      ? { decorators: { value: options.experimentalDecorators, file } }
      : {}),
    ...(typeof options.baseUrl === "string" ? { baseUrl: path.resolve(folder, options.baseUrl) } : {}),
    ...(isRecord(options.paths)
      ? {
          paths: {
            folder: path.resolve(folder, typeof options.baseUrl === "string" ? options.baseUrl : "."),
            patterns: stringLists(options.paths),
          },
        }
      : {}),
  };
}

function resolveExtends(file: string, parent: string): string | undefined {
  if (parent.startsWith(".") || path.isAbsolute(parent)) {
    const target = path.resolve(path.dirname(file), parent);
    return [target, `${target}.json`, path.join(target, "tsconfig.json")].find((name) =>
      fs.statSync(name, { throwIfNoEntry: false })?.isFile(),
    );
  }
  const require = createRequire(file);
  for (const name of [parent, `${parent}.json`, `${parent}/tsconfig.json`]) {
    try {
      const target = require.resolve(name);
      if (target.endsWith(".json")) return target;
    } catch {
      // Not found under this name: the next one is tried, as TypeScript does.
    }
  }
  return undefined;
}

function parseJsonWithComments(file: string): Readonly<Record<string, unknown>> {
  try {
    const content: unknown = JSON.parse(stripComments(fs.readFileSync(file, "utf8")));
    return isRecord(content) ? content : {};
  } catch {
    return {};
  }
}

/** Replaces comments by nothing and drops trailing commas, leaving strings as they are. */
export function stripComments(text: string): string {
  const withoutComments = text
    .replace(/^\uFEFF/, "")
    .replace(/("(?:\\.|[^"\\])*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (_match, quoted: string | undefined) => quoted ?? "");
  return withoutComments.replace(
    /("(?:\\.|[^"\\])*")|,(?=\s*[}\]])/g,
    (_match, quoted: string | undefined) => quoted ?? "",
  );
}

function stringLists(value: Readonly<Record<string, unknown>>): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    Object.entries(value).map(([key, list]) => [
      key,
      Array.isArray(list) ? list.filter((item) => typeof item === "string") : [],
    ]),
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
