import fs from "node:fs";
import path from "node:path";
import { FlowError } from "../errors/flow-error.ts";
import type { FlowDefinition } from "../flow/definition.ts";
import type { Flow } from "../flow/flow.ts";
import type { FlowClass } from "../flow/public-types.ts";
import { runName } from "../lineage/run-name.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import { selectFlow } from "../package/flow-file.ts";
import type { PackagedFlow, PackageManifest } from "../package/flow-package.ts";
import { loadPackage } from "../package/load-package.ts";
import { preparePackage } from "../package/prepare-package.ts";
import type { OpenStores } from "./open-stores.ts";

/** The code that a step is run again with. */
export interface StepCode {
  readonly flowClass: FlowClass<Flow>;
  readonly definition: FlowDefinition;
  /** Where it comes from, for people: the flow file. */
  readonly file: string;
}

/** A stored manifest, with what only the store's copy holds. */
export interface StoredManifest extends PackageManifest {
  readonly flows: readonly PackagedFlow[];
}

/** The manifest of the code package that a run was made with. */
export async function storedManifest({ metadata }: OpenStores, run: RunRow): Promise<StoredManifest> {
  const pack = run.packageDigest === undefined ? undefined : await metadata.package(run.packageDigest);
  if (pack !== undefined) return JSON.parse(pack.manifest) as StoredManifest;
  throw new FlowError("FLOW_INTERNAL", { message: `${runName(run)} has no code package in its store` });
}

/**
 * The code of the working tree: the flow file at the place where the run had it, looked for from here, from the store and
 * from where the run was started, each upwards.
 *
 * @throws FlowError FLOW_CLIENT_NO_SOURCE, and what refuses a flow file
 */
export async function codeOfTree(
  run: RunRow,
  manifest: PackageManifest,
  folders: readonly string[],
): Promise<StepCode> {
  const file = folders
    .flatMap((folder) => [...upwards(folder)])
    .map((folder) => path.join(folder, manifest.entry))
    .find(isFile);
  if (file === undefined) {
    throw new FlowError("FLOW_CLIENT_NO_SOURCE", {
      message: `Cannot find the source of ${runName(run)}: there is no "${manifest.entry}" in "${folders[0]}" or above it`,
      hint: "Go to the folder of the flow's project",
      context: { run: run.id, entry: manifest.entry, folders },
    });
  }
  const pack = await preparePackage(file);
  const { definition, exportName } = selectFlow(pack, run.flow.name);
  const flowClass = (await loadPackage(pack))[exportName] as FlowClass<Flow>;
  return { flowClass, definition, file };
}

function* upwards(folder: string): Generator<string> {
  for (let current = path.resolve(folder); ; current = path.dirname(current)) {
    yield current;
    if (current === path.dirname(current)) return;
  }
}

function isFile(file: string): boolean {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}
