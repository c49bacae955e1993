/**
 * The sources of a code package, as they were written: out of its source map, each checked against the digest of the bytes
 * that the bundler was given.
 */
import type { PackageManifest } from "./flow-package.ts";
import { contentDigest } from "./package-digest.ts";

/** One source of a code package. */
export interface PackageSource {
  /** Relative to the root, with forward slashes; `../x` lies beside the root. */
  readonly path: string;
  readonly digest: string;
  /** Absent when the package does not hold it: one of an older version, or data that is no text. */
  readonly text?: string;
}

/**
 * @param map  the source map of the package
 * @returns the sources by path
 */
export function packageSources(manifest: Pick<PackageManifest, "sources">, map: string): readonly PackageSource[] {
  const { sources = [], sourcesContent = [] } = JSON.parse(map) as {
    readonly sources?: readonly string[];
    readonly sourcesContent?: readonly (string | null)[];
  };
  const texts = new Map(sources.map((path, index) => [path, sourcesContent[index]]));
  return manifest.sources.map(({ path, digest }) => {
    const text = texts.get(path);
    // A text that is not what was bundled is none of these sources.
    return typeof text === "string" && contentDigest(text) === digest ? { path, digest, text } : { path, digest };
  });
}
