/** The code that a run was made with, out of its store. */
import { FlowError } from "../errors/flow-error.ts";
import { runName } from "../lineage/run-name.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import type { ExternalPackage } from "../package/flow-package.ts";
import { MAP_FILE } from "../package/package-files.ts";
import { type PackageSource, packageSources } from "../package/package-sources.ts";
import { keptManifest } from "./kept-package.ts";
import type { OpenStores } from "./open-stores.ts";

/** The code package of a run with its sources. */
export interface RunCode {
  readonly run: string;
  readonly digest: string;
  /** The flow file, relative to the root. */
  readonly entry: string;
  readonly sources: readonly PackageSource[];
  /** Packages that it imported from outside, with their versions. */
  readonly externals: readonly ExternalPackage[];
}

/**
 * The sources that a run was made with, each checked against its digest.
 *
 * @throws FlowError FLOW_PACKAGE_NOT_KEPT when the store has no code package of the run, and those of the artifact room
 *   when its files are missing or damaged
 */
export async function runCode(stores: Pick<OpenStores, "metadata" | "artifacts">, run: RunRow): Promise<RunCode> {
  if (run.packageDigest === undefined || (await stores.metadata.package(run.packageDigest)) === undefined) {
    throw new FlowError("FLOW_PACKAGE_NOT_KEPT", {
      message: `Cannot read the code of ${runName(run)}: its store keeps no code package of it`,
      hint: "Runs of other tools and of tests have none: look for the sources by the git state in flow show",
      context: { run: run.id },
    });
  }
  const manifest = await keptManifest(stores, run);
  const file = manifest.files.find(({ name }) => name === MAP_FILE);
  const ref = { codec: "bytes", digest: file?.digest, sizeBytes: file?.sizeBytes } as Parameters<
    typeof stores.artifacts.payload
  >[0];
  const subject = `"${MAP_FILE}" of the code package of ${runName(run)}`;
  const map =
    file === undefined
      ? "{}"
      : Buffer.from(
          await stores.artifacts.payload(ref, await stores.metadata.blob(ref.digest), { subject }),
        ).toString();
  return {
    run: runName(run),
    digest: run.packageDigest,
    entry: manifest.entry,
    sources: packageSources({ sources: manifest.sources ?? [] }, map),
    externals: manifest.externals,
  };
}
