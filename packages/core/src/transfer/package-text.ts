/** A code package as a store keeps it: JSON with the digests of its files and the definitions of its flows. */

import type { Digest } from "../artifact/artifact.ts";
import { canonicalJson } from "../metadata/canonical-json.ts";
import { digestOfFiles } from "../util/digest-of-files.ts";
import { z } from "../util/zod.ts";
import { BadContent, checkShape, decodeText, parseJson } from "./json-lines.ts";
import * as of from "./shapes.ts";

export interface PackageText {
  readonly digest: Digest;
  readonly text: string;
  readonly files: readonly { readonly name: string; readonly digest: Digest; readonly sizeBytes: number }[];
  readonly manifestFile: Digest;
  /** The manifest of the package itself, as it lies among its files. */
  readonly own: unknown;
}

/** In the order in which the digest of a package covers them (docs/formats/code-package.md). */
const FILES = ["flow.mjs", "flow.mjs.map", "manifest.json"];

const shape = z.object({
  entry: of.text,
  files: z.array(z.strictObject({ name: z.string(), digest: of.digest, sizeBytes: of.size })).length(FILES.length),
  flows: z
    .array(
      z.object({
        definition: z.object({
          name: of.name,
          project: of.project,
          steps: z.array(z.object({ name: of.name, next: z.array(of.name).max(100_000) })).max(100_000),
        }),
      }),
    )
    .max(10_000),
});

/**
 * Reads the text of a package and checks that its files give its digest. Nothing of it is executed.
 *
 * @throws BadContent
 */
export function packageText(digest: Digest, text: string): PackageText {
  const value = parseJson(text);
  const { files } = checkShape(value, shape);
  if (files.some((file, index) => file.name !== FILES[index]))
    throw new BadContent("its files are not those of a code package");
  if (digestOfFiles(files) !== digest) throw new BadContent("its files are not those that its digest names");
  const { files: _, flows: __, ...own } = value as Readonly<Record<string, unknown>>;
  return { digest, text, files, manifestFile: files[2]!.digest, own };
}

/**
 * Whether what is kept of a package is the manifest that lies among its files.
 *
 * @param bytes of the manifest file
 * @throws BadContent
 */
export function checkOwnManifest({ digest, own }: Pick<PackageText, "digest" | "own">, bytes: Uint8Array): void {
  if (canonicalJson(parseJson(decodeText(bytes))) !== canonicalJson(own))
    throw new BadContent(`the manifest of the code package ${digest} is not the one in the package`);
}
