import type { ArtifactRef } from "../artifact/artifact.ts";
import type { ArtifactStore } from "../artifact/artifact-store.ts";
import { fileCodec } from "../artifact/codec-id.ts";
import { FIGURE_HEAD_BYTES, type FigureFacts, figureFacts } from "../artifact/figures/figure-facts.ts";
import { headOf } from "../artifact/files/head-of.ts";
import { isFlowError } from "../errors/flow-error.ts";
import type { ArtifactRecord } from "../events/run-record.ts";
import type { MetadataReader } from "../metadata/metadata-store.ts";

/** Files that are worth a look, by their names. */
const ENDING = /\.(?:png|jpe?g|svg|html?)$/i;

/**
 * What a picture or a page among the artifacts is. Its first bytes are read, and not hashed: it is for people to know it by.
 *
 * @returns undefined for everything else, and for bytes that are gone, missing or damaged: those are for `flow validate`
 */
export async function readFigure(
  { metadata, artifacts }: { readonly metadata: MetadataReader; readonly artifacts: Pick<ArtifactStore, "pieces"> },
  artifact: Pick<ArtifactRecord, "codec" | "digest" | "sizeBytes">,
): Promise<FigureFacts | undefined> {
  const ref = artifact as ArtifactRef; // A record holds the same texts without their brands.
  if (!ENDING.test(fileCodec(ref.codec)?.name ?? "")) return undefined;
  try {
    const pieces = artifacts.pieces(ref, await metadata.blob(ref.digest));
    return figureFacts(await headOf(pieces, FIGURE_HEAD_BYTES));
  } catch (error) {
    if (isFlowError(error)) return undefined;
    throw error;
  }
}
