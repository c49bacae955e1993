import { readdirSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { decodeValue } from "../artifact/value-codec.ts";
import type { ModelVerdict, ProjectView } from "../client/validate/project-view.ts";
import { foldersUpwards, readPackageJson } from "../package/package-root.ts";

const MODELS = "@millrace/ml";

/** What validation needs of a stored model's class. */
interface LoadableModel {
  readonly codec: string;
  readonly library?: { readonly package: string; readonly version: string };
  readonly probe?: unknown;
  load(): Promise<unknown>;
  free(model: unknown): void;
}

/** The project around a folder: its installed packages, and the models that can be loaded with them. */
export function projectView(cwd: string): ProjectView {
  let linked: readonly string[] | undefined;
  const installedVersion = (name: string): string | undefined => {
    const own = versionFrom(cwd, name);
    if (own !== undefined) return own;
    // Code of another package of the workspace imports what is installed beside that one.
    linked ??= linkedPackages(cwd);
    return linked.map((folder) => versionFrom(folder, name)).find((version) => version !== undefined);
  };
  const view = { node: process.version, installedVersion };
  return installedVersion(MODELS) === undefined ? view : { ...view, openModel: (payload) => openModel(cwd, payload) };
}

function versionFrom(start: string, name: string): string | undefined {
  for (const folder of foldersUpwards(start)) {
    const version = readPackageJson(path.join(folder, "node_modules", name, "package.json"))?.version;
    if (typeof version === "string") return version;
  }
  return undefined;
}

/** Where the packages are that are linked into a project, and not copied: those of its workspace. */
function linkedPackages(cwd: string): readonly string[] {
  const found: string[] = [];
  for (const folder of foldersUpwards(cwd)) {
    const modules = path.join(folder, "node_modules");
    for (const name of namesIn(modules)) {
      const below = name.startsWith("@")
        ? namesIn(path.join(modules, name)).map((each) => path.join(name, each))
        : [name];
      for (const each of below) {
        const real = realPath(path.join(modules, each));
        if (real !== undefined && !real.split(path.sep).includes("node_modules")) found.push(real);
      }
    }
  }
  return found;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // There is none, which is the common case.
  }
}

function realPath(file: string): string | undefined {
  try {
    return realpathSync(file);
  } catch {
    return undefined; // A link to what is not there any more.
  }
}

async function openModel(cwd: string, payload: Uint8Array): Promise<ModelVerdict> {
  try {
    // The classes of stored models register themselves when the package is evaluated, for whichever copy of core decodes.
    await import(pathToFileURL(createRequire(path.join(cwd, "package.json")).resolve(MODELS)).href);
    const model = decodeValue("cbor", payload, { unknownClasses: "refuse" }) as LoadableModel;
    model.free(await model.load());
    const library = model.library === undefined ? model.codec : `${model.library.package} ${model.library.version}`;
    return { kind: "loads", library, hasProbe: model.probe !== undefined };
  } catch (error) {
    const code = (error as { readonly code?: unknown }).code;
    const why = error instanceof Error ? error.message : String(error);
    if (code === "ML_LIBRARY_MISSING" || code === "ML_CODEC_UNKNOWN") return { kind: "untried", why };
    return { kind: code === "ML_MODEL_CHANGED" ? "changed" : "broken", why };
  }
}
