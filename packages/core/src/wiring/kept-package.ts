import type { Digest } from "../artifact/artifact.ts";
import { FlowError } from "../errors/flow-error.ts";
import { runName } from "../lineage/run-name.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import { OWN_MANIFEST, repeatsOwnManifest } from "../metadata/package-manifest.ts";
import { readManifest } from "../metadata/stored-columns.ts";
import type { FlowPackage, PackagedFlow, PackageManifest } from "../package/flow-package.ts";
import { BUNDLE_FILE, MANIFEST_FILE, MAP_FILE } from "../package/package-files.ts";
import { restorePackage } from "../package/restore-package.ts";
import { digestOfFiles } from "../util/digest-of-files.ts";
import type { OpenStores } from "./open-stores.ts";

/** A manifest as a store keeps it: with the definitions of the flows, and where the files of the package are. */
export interface KeptManifest extends PackageManifest {
  /** With places relative to the root. */
  readonly flows: readonly PackagedFlow[];
  readonly files: readonly { readonly name: string; readonly digest: string; readonly sizeBytes: number }[];
}

/** The manifest of the code package that a run was made with. */
export async function keptManifest(
  { metadata, artifacts }: Pick<OpenStores, "metadata" | "artifacts">,
  run: RunRow,
): Promise<KeptManifest> {
  const pack = run.packageDigest === undefined ? undefined : await metadata.package(run.packageDigest);
  if (pack !== undefined) {
    const manifest = readKept(pack.manifest);
    // Its files are read by the names that stand here: those of another package would be another code.
    if (digestOfFiles(manifest.files) !== pack.digest)
      throw otherPackage(run, "its record names other files than its digest");
    const file = manifest.files.find(({ name }) => name === OWN_MANIFEST)!;
    const ref = { codec: "bytes", digest: file.digest as Digest, sizeBytes: file.sizeBytes };
    const subject = `"${OWN_MANIFEST}" of the code package of ${runName(run)}`;
    const own = await artifacts.payload(ref, await metadata.blob(ref.digest), { subject });
    if (repeatsOwnManifest({ ...manifest }, own)) return manifest;
    throw otherPackage(run, "its record says something else than the package's own manifest");
  }
  throw new FlowError("FLOW_INTERNAL", { message: `${runName(run)} has no code package in its store` });
}

function otherPackage(run: RunRow, why: string): FlowError {
  return new FlowError("FLOW_METADATA_CORRUPT", {
    message: `Cannot read the code package of ${runName(run)}: ${why}`,
    hint: "Restore the store from a copy, or run the flow file again",
    context: { run: run.id, digest: run.packageDigest },
  });
}

/** What follows is loaded and run, so what it leans on is looked at first. */
export function readKept(text: string): KeptManifest {
  const manifest = readManifest<KeptManifest>(text);
  const { files, flows, externals, entry } = manifest;
  const isWhole =
    typeof entry === "string" &&
    Array.isArray(flows) &&
    Array.isArray(externals) &&
    Array.isArray(files) &&
    files.every((file) => /^[0-9a-f]{64}$/.test(file?.digest) && typeof file.name === "string");
  if (isWhole) return manifest as KeptManifest;
  throw new FlowError("FLOW_METADATA_CORRUPT", {
    message: 'Cannot read the records: "package.manifest" lacks what a code package has',
    hint: "Restore the store from a copy, or run the flow file again",
    context: { column: "package.manifest" },
  });
}

/**
 * The code package that a run was made with, out of its store, ready to be loaded on this machine.
 *
 * @param root the folder that its paths start from: its installed packages are looked for from there
 * @throws FlowError as of `restorePackage`, and those of the artifact room for files that are missing or damaged
 */
export async function keptPackage(
  stores: Pick<OpenStores, "metadata" | "artifacts">,
  run: RunRow,
  root: string,
): Promise<FlowPackage> {
  const { entry, flows, files } = await keptManifest(stores, run);
  const read = async (name: string): Promise<Uint8Array> => {
    const file = files.find((each) => each.name === name);
    if (file === undefined)
      throw new FlowError("FLOW_INTERNAL", { message: `The code package of ${runName(run)} has no "${name}"` });
    const ref = { codec: "bytes", digest: file.digest, sizeBytes: file.sizeBytes } as Parameters<
      typeof stores.artifacts.payload
    >[0];
    const subject = `"${name}" of the code package of ${runName(run)}`;
    return await stores.artifacts.payload(ref, await stores.metadata.blob(ref.digest), { subject });
  };
  return await restorePackage(
    {
      digest: run.packageDigest!,
      entry,
      flows,
      content: async () => {
        const [code, map, manifest] = await Promise.all([BUNDLE_FILE, MAP_FILE, MANIFEST_FILE].map(read));
        return { code: code!, map: map!, manifest: manifest! };
      },
    },
    { root },
  );
}
