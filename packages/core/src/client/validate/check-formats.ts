import type { ArtifactStore } from "../../artifact/artifact-store.ts";
import { fileCodec } from "../../artifact/codec-id.ts";
import { headOf } from "../../artifact/files/head-of.ts";
import { folderEntries } from "../../artifact/files/read-folder.ts";
import { isFlowError } from "../../errors/flow-error.ts";
import { runName } from "../../lineage/run-name.ts";
import type { ArtifactRow, MetadataReader, RunRow } from "../../metadata/metadata-store.ts";
import { runArtifacts } from "./check-artifacts.ts";
import type { CheckSink } from "./report.ts";

/** As much of a file as is looked at. */
const HEAD_BYTES = 64 * 1024;

/**
 * V18: nothing that a run left is a program for whoever loads it. What Millrace decodes never is; a file may hold anything, so
 * its beginning is looked at: pickles (also those inside the archives of PyTorch and joblib) and executables are named.
 */
export async function checkFormats(
  stores: { readonly metadata: MetadataReader; readonly artifacts: Pick<ArtifactStore, "pieces"> },
  run: RunRow,
  isStrict: boolean,
  sink: CheckSink,
): Promise<void> {
  const artifacts = (await runArtifacts(stores.metadata, run)).filter(({ gone }) => gone === undefined);
  let found = 0;
  for (const artifact of artifacts) {
    for await (const { file, kind } of programsIn(stores, artifact)) {
      found++;
      sink.add(
        "V18",
        isStrict ? "fail" : "warn",
        `"${artifact.name}" of ${runName(run)}: ${file} is ${kind}: whoever loads it runs what it says`,
        { artifact: artifact.name, digest: artifact.digest },
      );
    }
  }
  if (found === 0)
    sink.add("V18", "pass", `the ${artifacts.length} artifacts of ${runName(run)} are data, and no programs`);
}

interface Program {
  readonly file: string;
  readonly kind: string;
}

async function* programsIn(
  { metadata, artifacts }: Parameters<typeof checkFormats>[0],
  artifact: ArtifactRow,
): AsyncGenerator<Program, void> {
  const named = fileCodec(artifact.codec);
  if (named === undefined) return;
  const pieces = artifacts.pieces(artifact, await metadata.blob(artifact.digest));
  try {
    if (named.kind === "file") {
      const kind = programKind(await headOf(pieces, HEAD_BYTES));
      if (kind !== undefined) yield { file: named.name, kind };
      return;
    }
    for await (const entry of folderEntries(pieces)) {
      const kind = programKind(await headOf(entry.pieces, HEAD_BYTES));
      if (kind !== undefined) yield { file: `${named.name}/${entry.path}`, kind };
    }
  } catch (error) {
    if (!isFlowError(error)) throw error; // Bytes that are missing or damaged are for V03.
  }
}

function programKind(head: Buffer): string | undefined {
  // PROTO of Python's pickle with protocol 2 to 5, as every one of them begins.
  if (head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5) return "a Python pickle";
  if (head.subarray(0, 4).equals(Buffer.from("PK\x03\x04")) && /\.pkl/.test(head.toString("latin1")))
    return "an archive with a Python pickle (PyTorch)";
  if (head.subarray(0, 4).equals(Buffer.from("\x7fELF", "latin1"))) return "an executable (ELF)";
  if (head.subarray(0, 2).equals(Buffer.from("MZ"))) return "an executable (Windows)";
  if (head.subarray(0, 2).equals(Buffer.from("#!"))) return "a script";
  return undefined;
}
