import fs from "node:fs";
import path from "node:path";
import type { FlowDefinition } from "../flow/definition.ts";
import type { Flow } from "../flow/flow.ts";
import type { FlowClass } from "../flow/public-types.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import { selectFlow } from "../package/flow-file.ts";
import type { FlowPackage, PackageManifest } from "../package/flow-package.ts";
import { loadPackage } from "../package/load-package.ts";
import { findPackageRoot } from "../package/package-root.ts";
import { preparePackage } from "../package/prepare-package.ts";
import { keptPackage } from "./kept-package.ts";
import type { OpenStores } from "./open-stores.ts";

/** The code that a step is run again with. */
export interface StepCode {
  readonly flowClass: FlowClass<Flow>;
  readonly definition: FlowDefinition;
  readonly source: CodeSource;
}

/** Where code comes from: a flow file as it is now, or the package that is kept with the run. */
export type CodeSource =
  | { readonly kind: "tree"; readonly file: string }
  | { readonly kind: "kept"; readonly entry: string; readonly digest: string };

export interface StepCodeRequest {
  readonly stores: OpenStores;
  readonly run: RunRow;
  readonly manifest: PackageManifest;
  /** Where the flow file is looked for, each upwards; the first says where installed packages are. */
  readonly folders: readonly string[];
  /** Whether the kept package is used although the source is there. */
  readonly isKept: boolean;
}

/**
 * The code of the working tree, when the flow file is where the run had it; else the package that was kept with the run.
 *
 * @throws FlowError what refuses a flow file, and what keeps a package from being restored
 */
export async function stepCode(request: StepCodeRequest): Promise<StepCode> {
  const { stores, run, manifest, folders, isKept } = request;
  const file = isKept ? undefined : findEntry(manifest.entry, folders);
  if (file !== undefined) return await codeOf(await preparePackage(file), run, { kind: "tree", file });
  // The workspace that this folder belongs to: a kept package finds what it imports from there.
  const root = findPackageRoot(path.join(folders[0]!, manifest.entry));
  const pack = await keptPackage(stores, run, root.folder);
  return await codeOf(pack, run, { kind: "kept", entry: manifest.entry, digest: pack.digest });
}

async function codeOf(pack: FlowPackage, run: RunRow, source: CodeSource): Promise<StepCode> {
  const { definition, exportName } = selectFlow(pack, run.flow.name);
  return { flowClass: (await loadPackage(pack))[exportName] as FlowClass<Flow>, definition, source };
}

function findEntry(entry: string, folders: readonly string[]): string | undefined {
  return folders
    .flatMap((folder) => [...upwards(folder)])
    .map((folder) => path.join(folder, entry))
    .find((file) => fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true);
}

function* upwards(folder: string): Generator<string> {
  for (let current = path.resolve(folder); ; current = path.dirname(current)) {
    yield current;
    if (current === path.dirname(current)) return;
  }
}
