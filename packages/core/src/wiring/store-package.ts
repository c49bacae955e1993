import { readFileSync } from "node:fs";
import path from "node:path";
import type { Digest, NewBlob } from "../artifact/artifact.ts";
import type { ArtifactStore } from "../artifact/artifact-store.ts";
import { encodeValue } from "../artifact/value-codec.ts";
import { FlowError } from "../errors/flow-error.ts";
import type { FlowPackage } from "../package/flow-package.ts";
import { packageDigest } from "../package/package-digest.ts";
import { BUNDLE_FILE, MANIFEST_FILE, MAP_FILE } from "../package/package-files.ts";
import { portableFlows } from "../package/portable-flows.ts";

/**
 * A code package as rows for the store: its three files as blobs, and the manifest with the digest of each file (`files`) and
 * the definitions of its flows (`flows`) added, so that a run can be checked against its graph without evaluating code. The package is checked against its own digest first, so that a damaged cache never becomes a record.
 *
 * @throws FlowError FLOW_PACKAGE_DAMAGED
 */
export function storePackage(
  pack: FlowPackage,
  artifacts: ArtifactStore,
): { readonly digest: Digest; readonly manifest: string; readonly blobs: readonly NewBlob[] } {
  const content = { code: read(pack, BUNDLE_FILE), map: read(pack, MAP_FILE), manifest: read(pack, MANIFEST_FILE) };
  if (packageDigest(content) !== pack.digest) {
    throw new FlowError("FLOW_PACKAGE_DAMAGED", {
      message: `Cannot keep the code package of "${pack.manifest.entry}": its files in "${pack.folder}" are not those that its digest names`,
      hint: "Delete that folder and run again: the package is rebuilt from the sources",
    });
  }
  const blobs: NewBlob[] = [];
  const files = (
    [
      [BUNDLE_FILE, content.code],
      [MAP_FILE, content.map],
      [MANIFEST_FILE, content.manifest],
    ] as const
  ).map(([name, bytes]) => {
    const encoded = encodeValue(bytes);
    blobs.push(artifacts.storeSync(encoded));
    return { name, digest: encoded.digest, sizeBytes: encoded.sizeBytes };
  });
  return {
    digest: pack.digest,
    manifest: JSON.stringify({ ...pack.manifest, files, flows: portableFlows(pack.flows, pack.root) }),
    blobs,
  };
}

function read(pack: FlowPackage, name: string): Buffer {
  return readFileSync(path.join(pack.folder, name));
}
