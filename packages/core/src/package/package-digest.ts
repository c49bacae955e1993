import { hash } from "node:crypto";
import fs from "node:fs";
import type { Digest } from "../artifact/artifact.ts";
import { digestOfFiles } from "../util/digest-of-files.ts";
import { BUNDLE_FILE, MANIFEST_FILE, MAP_FILE } from "./package-files.ts";

/** sha-256 of a file's bytes; undefined when it cannot be read. */
export function fileDigest(file: string): Digest | undefined {
  try {
    return contentDigest(fs.readFileSync(file));
  } catch {
    return undefined;
  }
}

export function contentDigest(content: string | Uint8Array): Digest {
  return hash("sha256", content, "hex") as Digest;
}

/** The three files of a code package. */
export interface PackageContent {
  readonly code: string | Uint8Array;
  readonly map: string | Uint8Array;
  readonly manifest: string | Uint8Array;
}

/**
 * The digest of a code package: sha-256 over one line a file, each the file's own sha-256, two spaces and its name, in
 * the order bundle, map, manifest. So `sha256sum flow.mjs flow.mjs.map manifest.json | sha256sum` gives the same.
 */
export function packageDigest(content: PackageContent): Digest {
  return digestOfFiles([
    { name: BUNDLE_FILE, digest: contentDigest(content.code) },
    { name: MAP_FILE, digest: contentDigest(content.map) },
    { name: MANIFEST_FILE, digest: contentDigest(content.manifest) },
  ]) as Digest;
}
