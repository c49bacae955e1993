import path from "node:path";
import { FlowError } from "../errors/flow-error.ts";
import { bundleFlow, type FlowBundle, importsCore } from "./bundle-flow.ts";
import { describeFlows } from "./describe-flows.ts";
import { installedPackages } from "./digests/installed-packages.ts";
import { withStepDigests } from "./digests/step-digests.ts";
import { displayPath } from "./display-path.ts";
import type { FlowPackage } from "./flow-package.ts";
import { packageDigest } from "./package-digest.ts";
import { writeIndexed } from "./package-index.ts";
import { chainsOf, collectInputs } from "./package-inputs.ts";
import type { PackageRoot } from "./package-root.ts";
import { storeInFirst } from "./package-store.ts";
import type { TsconfigChain } from "./tsconfig-chain.ts";

/**
 * Makes a package from the sources: bundles, stores, evaluates once for the definitions, and remembers all inputs.
 * Nothing is remembered when a step of that fails, so an error is found again until its cause is gone.
 */
export async function buildPackage(
  entry: string,
  root: PackageRoot,
  cacheFolders: readonly string[],
): Promise<FlowPackage> {
  const bundle = await bundleFlow(entry, root);
  const chains = chainsOf(bundle.sources.keys(), root.folder);
  refuseLegacyDecorators(bundle, chains);
  // Collected before user code runs: what that changes on disk is noticed by the next call.
  const inputs = collectInputs(bundle, root, chains);
  const manifest = `${JSON.stringify(bundle.manifest, null, 2)}\n`;
  const content = { code: bundle.code, map: bundle.map, manifest };
  const digest = packageDigest(content);
  const { folder, cacheFolder } = storeInFirst(cacheFolders, digest, content);
  const pack = { folder, root: root.folder, manifest: bundle.manifest };
  const flows = await withStepDigests(await describeFlows(pack, bundle), { ...pack, code: bundle.code });
  const made: FlowPackage = { ...pack, digest, flows, installed: installedPackages(pack) };
  writeIndexed(cacheFolder, entry, root, inputs, made);
  return made;
}

/** Only modules that define flows are looked at: a library beside them may well use legacy decorators of its own. */
function refuseLegacyDecorators(bundle: FlowBundle, chains: ReadonlyMap<string, TsconfigChain>): void {
  for (const [file, source] of bundle.sources) {
    const tsconfig = chains.get(path.dirname(file))?.legacyDecorators;
    if (tsconfig === undefined || !/\.[cm]?tsx?$/.test(file) || !importsCore(bundle.imports.get(file))) continue;
    if (!/^\s*@\w/m.test(source.text ?? "")) continue;
    throw new FlowError("FLOW_PACKAGE_LEGACY_DECORATORS", {
      message: `Cannot load "${displayPath(file)}": "${displayPath(tsconfig)}" sets "experimentalDecorators", and flows need standard decorators`,
      hint: `Remove "experimentalDecorators" from "${displayPath(tsconfig)}", or give the folder of the flows a tsconfig.json without it`,
      context: { file: source.path, tsconfig },
    });
  }
}
