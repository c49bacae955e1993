import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { FlowError } from "../errors/flow-error.ts";

/** Name of the file beside the package.json of a workspace's root. */
export const CONFIG_FILE = "millrace.json";

/** What a team decides once for a workspace: committed with it, and the same for everyone who works in it. */
export interface ConfigFile {
  /** Absolute path of the file. */
  readonly file: string;
  /** As `--store`; a relative folder starts from the file's own. */
  readonly store?: string;
  /** How many bytes of values that lie in a bucket are kept on this machine. */
  readonly cacheBytes?: number;
}

const SETTINGS: Readonly<Record<string, (value: unknown) => string | undefined>> = {
  // Editors look there for the file's schema.
  $schema: () => undefined,
  store: (value) => (typeof value === "string" && value !== "" ? undefined : "is no text that names a store"),
  cacheBytes: (value) =>
    Number.isSafeInteger(value) && (value as number) >= 0 ? undefined : "is no whole number of bytes, 0 or more",
};

/**
 * Reads `millrace.json` in a folder: JSON alone, no code.
 *
 * @returns undefined when there is none
 * @throws FlowError FLOW_CONFIG_BAD_FILE with every setting that is wrong, and for a file that cannot be read
 */
export function readConfigFile(folder: string): ConfigFile | undefined {
  const file = join(folder, CONFIG_FILE);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw badFile(file, [`it cannot be read (${code ?? String(error)})`]);
  }
  const settings = parseSettings(file, text);
  const problems = Object.entries(settings).flatMap(([name, value]) => {
    const check = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined;
    if (check === undefined) return [`"${name}" is not known: it takes ${Object.keys(SETTINGS).slice(1).join(", ")}`];
    const wrong = check(value);
    return wrong === undefined ? [] : [`"${name}" ${wrong}`];
  });
  if (problems.length > 0) throw badFile(file, problems);
  const { store, cacheBytes } = settings as Partial<ConfigFile>;
  return {
    file,
    ...(store === undefined ? {} : { store }),
    ...(cacheBytes === undefined ? {} : { cacheBytes }),
  };
}

/**
 * Makes a store the one of a workspace: writes `store` into `millrace.json`, and leaves its other settings as they are.
 *
 * @param folder  the root of the workspace
 * @returns the file's path
 * @throws FlowError FLOW_CONFIG_BAD_FILE when the file that is there cannot be read, or cannot be written
 */
export function saveStore(folder: string, store: string): string {
  const file = join(folder, CONFIG_FILE);
  const before = readConfigFile(folder) === undefined ? {} : parseSettings(file, readFileSync(file, "utf8"));
  const aside = `${file}.${process.pid}`;
  try {
    writeFileSync(aside, `${JSON.stringify({ ...before, store }, undefined, 2)}\n`);
    renameSync(aside, file);
  } catch (error) {
    rmSync(aside, { force: true });
    throw badFile(file, [`it cannot be written (${(error as NodeJS.ErrnoException).code ?? String(error)})`]);
  }
  return file;
}

/** Where relative folders of the file start. */
export function configBase({ file }: ConfigFile): string {
  return dirname(file);
}

function parseSettings(file: string, text: string): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // The engine's own message repeats a piece of the file.
    throw badFile(file, ["it is no JSON"]);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw badFile(file, ["it is no JSON object"]);
  return parsed as Readonly<Record<string, unknown>>;
}

function badFile(file: string, problems: readonly string[]): FlowError {
  return new FlowError("FLOW_CONFIG_BAD_FILE", {
    message: `Cannot use the settings in "${file}": ${problems.join("; ")}`,
    hint: 'Write such as { "store": "s3://BUCKET/PREFIX" }, or remove the file',
    context: { file, problems },
  });
}
