/**
 * The code that a resumed run goes on with: what the flow file is now, where it can be found, or else the package that the
 * run's store kept.
 */

import fs from "node:fs";
import path from "node:path";
import type { ArtifactRef, Digest } from "../../artifact/artifact.ts";
import { FlowError } from "../../errors/flow-error.ts";
import type { FlowDefinition } from "../../flow/definition.ts";
import { runName } from "../../lineage/run-name.ts";
import type { RunRow } from "../../metadata/metadata-store.ts";
import { selectFlow } from "../../package/flow-file.ts";
import type { FlowPackage, PackagedFlow, PackageManifest } from "../../package/flow-package.ts";
import { BUNDLE_FILE, MANIFEST_FILE, MAP_FILE } from "../../package/package-files.ts";
import { findPackageRoot } from "../../package/package-root.ts";
import { preparePackage } from "../../package/prepare-package.ts";
import { restorePackage } from "../../package/restore-package.ts";
import { readKept } from "../kept-package.ts";
import type { OpenStores } from "../open-stores.ts";

/** A run that stopped, with the code that it would go on with. */
export interface ResumeSubject {
  readonly row: RunRow;
  readonly package: FlowPackage;
  readonly flow: PackagedFlow;
  /** As the run's own package has it. */
  readonly before: FlowDefinition;
  /** The flow file, when it is nowhere to be found and nobody asked for the code that the store kept. */
  readonly lostEntry?: string;
}

export interface ResumePackageOptions {
  readonly cwd: string;
  /** Go on with the code that the run had, also where its sources are. */
  readonly sameCode: boolean;
  /** Whether steps whose code changed are to run again: then the code cannot be the same. Default false. */
  readonly changed?: boolean;
}

/**
 * @throws FlowError FLOW_RESUME_CONTRADICTION, FLOW_RESUME_NO_PACKAGE, what refuses a flow file (`preparePackage`) and what refuses a kept package
 *   (`restorePackage`)
 */
export async function resumeSubject(
  stores: OpenStores,
  row: RunRow,
  { cwd, sameCode, changed }: ResumePackageOptions,
): Promise<ResumeSubject> {
  if (sameCode && changed === true) {
    throw new FlowError("FLOW_RESUME_CONTRADICTION", {
      message: `Cannot resume ${runName(row)} with the code that it had, and run again what changed in it`,
      hint: "Leave out one of --same-code and --changed",
      context: { run: runName(row) },
    });
  }
  const manifest = await recordedManifest(stores, row);
  const before = flowOf({ flows: manifest.flows, manifest }, row).definition;
  const root = sameCode ? undefined : rootWithSource(row, manifest, [cwd, stores.folder]);
  const pack =
    root === undefined
      ? await restored(stores, row, manifest, row.environment.root ?? packageRootOf(row, cwd))
      : await preparePackage(path.join(root, manifest.entry));
  const lost = root === undefined && !sameCode ? { lostEntry: manifest.entry } : {};
  return { row, package: pack, flow: flowOf(pack, row), before, ...lost };
}

/** The flow of a run, also after it got another name. */
function flowOf(pack: Pick<FlowPackage, "flows" | "manifest">, { flow: { name } }: RunRow): PackagedFlow {
  return pack.flows.find(({ definition }) => definition.formerly.includes(name)) ?? selectFlow(pack, name);
}

/** The manifest in a store, with what only the store's copy holds. */
interface RecordedManifest extends PackageManifest {
  readonly files: readonly { readonly name: string; readonly digest: Digest; readonly sizeBytes: number }[];
  readonly flows: readonly PackagedFlow[];
}

async function recordedManifest({ metadata }: OpenStores, row: RunRow): Promise<RecordedManifest> {
  const recorded = row.packageDigest === undefined ? undefined : await metadata.package(row.packageDigest);
  if (recorded !== undefined) return readKept(recorded.manifest) as RecordedManifest;
  if (row.packageDigest === undefined)
    throw new FlowError("FLOW_RESUME_NO_PACKAGE", {
      message: `Cannot resume ${runName(row)}: it has no code, since flow put recorded it`,
      hint: `Put the files again with flow put ${row.flow.name}`,
      context: { run: row.id },
    });
  throw new FlowError("FLOW_RESUME_NO_PACKAGE", {
    message: `Cannot resume ${runName(row)}: its store does not hold its code package`,
    hint: "Run the flow anew",
    context: { run: row.id },
  });
}

/** The folder below which the flow file lies as it did: that of the run itself, or one above from where we stand. */
function rootWithSource(row: RunRow, { entry }: PackageManifest, folders: readonly string[]): string | undefined {
  const known = row.environment.root === undefined ? [] : [row.environment.root];
  const candidates = [...known, ...folders.flatMap((folder) => [...upwards(folder)]), ...upwards(row.environment.cwd)];
  return candidates.find(
    (folder) => fs.statSync(path.join(folder, entry), { throwIfNoEntry: false })?.isFile() === true,
  );
}

/** Of a run that did not record it: the root of the workspace in which it was started, else of the one we are in. */
function packageRootOf(row: RunRow, cwd: string): string {
  const folder = fs.existsSync(row.environment.cwd) ? row.environment.cwd : cwd;
  return findPackageRoot(path.join(folder, "package.json")).folder;
}

async function restored(
  { metadata, artifacts }: OpenStores,
  row: RunRow,
  { files, flows, entry }: RecordedManifest,
  root: string,
): Promise<FlowPackage> {
  const read = async (name: string): Promise<Uint8Array> => {
    const file = files.find((one) => one.name === name);
    const ref: ArtifactRef = {
      codec: "bytes",
      digest: file?.digest ?? ("" as Digest),
      sizeBytes: file?.sizeBytes ?? 0,
    };
    const subject = `"${name}" of the code package of ${runName(row)}`;
    return artifacts.payload(ref, await metadata.blob(ref.digest), { subject });
  };
  return restorePackage(
    {
      digest: row.packageDigest!,
      entry,
      flows,
      async content() {
        const [code, map, manifest] = await Promise.all([BUNDLE_FILE, MAP_FILE, MANIFEST_FILE].map(read));
        return { code: code!, map: map!, manifest: manifest! };
      },
    },
    { root },
  );
}

function* upwards(folder: string): Generator<string> {
  for (let current = path.resolve(folder); ; current = path.dirname(current)) {
    yield current;
    if (current === path.dirname(current)) return;
  }
}
