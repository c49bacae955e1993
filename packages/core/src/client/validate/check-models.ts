import type { ArtifactStore } from "../../artifact/artifact-store.ts";
import { isFlowError } from "../../errors/flow-error.ts";
import { runName } from "../../lineage/run-name.ts";
import type { ArtifactRow, MetadataReader, RunRow } from "../../metadata/metadata-store.ts";
import { runArtifacts } from "./check-artifacts.ts";
import type { ProjectView } from "./project-view.ts";
import type { CheckSink } from "./report.ts";

/** As much as is looked at to know a model: its class stands at the beginning. */
const HEAD_BYTES = 64;
const MARK = "millrace.StoredModel@";
/** Larger models are not loaded to be looked at. */
const MAX_BYTES = 1024 ** 3;

/** V06 and V07: the models that a run left load with the libraries that are installed here, and predict what they predicted. */
export async function checkModels(
  stores: { readonly metadata: MetadataReader; readonly artifacts: Pick<ArtifactStore, "pieces"> },
  run: RunRow,
  project: ProjectView,
  isStrict: boolean,
  sink: CheckSink,
  upstream?: string,
): Promise<void> {
  for (const artifact of await runArtifacts(stores.metadata, run)) {
    const payload = await modelPayload(stores, artifact);
    if (payload === undefined) continue;
    const what = `"${artifact.name}" of ${runName(run)}`;
    const about = {
      ...(upstream === undefined ? {} : { upstream }),
      artifact: artifact.name,
      digest: artifact.digest,
    };
    const verdict = await (project.openModel?.(payload) ?? {
      kind: "untried" as const,
      why: "@millrace/ml is not installed here",
    });
    switch (verdict.kind) {
      case "untried":
        sink.add("V06", isStrict ? "fail" : "warn", `${what} was not loaded: ${verdict.why}`, about);
        break;
      case "broken":
        sink.add("V06", "fail", `${what} does not load: ${verdict.why}`, about);
        break;
      case "changed":
        sink.add("V06", "pass", `${what} loads`, about);
        sink.add("V07", "fail", `${what} loads, and predicts otherwise: ${verdict.why}`, about);
        break;
      case "loads":
        sink.add("V06", "pass", `${what} loads with ${verdict.library}`, about);
        if (verdict.hasProbe) sink.add("V07", "pass", `${what} predicts what was kept with it`, about);
        break;
    }
  }
}

/** The payload of a stored model; undefined for everything else, and for what is missing or damaged: that is for V03. */
async function modelPayload(
  { metadata, artifacts }: Parameters<typeof checkModels>[0],
  artifact: ArtifactRow,
): Promise<Uint8Array | undefined> {
  if (artifact.codec !== "cbor" || artifact.gone !== undefined || artifact.sizeBytes > MAX_BYTES) return undefined;
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of artifacts.pieces(artifact, await metadata.blob(artifact.digest))) {
      if (pieces.length === 0 && !isModel(piece)) return undefined;
      pieces.push(Uint8Array.from(piece));
    }
  } catch (error) {
    if (isFlowError(error)) return undefined;
    throw error;
  }
  return Buffer.concat(pieces);
}

function isModel(piece: Uint8Array): boolean {
  return Buffer.from(piece.buffer, piece.byteOffset, Math.min(piece.byteLength, HEAD_BYTES)).includes(MARK);
}
