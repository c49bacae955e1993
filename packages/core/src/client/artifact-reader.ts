import type { ArtifactStore } from "../artifact/artifact-store.ts";
import { decodeValue } from "../artifact/value-codec.ts";
import { FlowError, isFlowError } from "../errors/flow-error.ts";
import type { ArtifactRow, MetadataReader, RunRow, UpstreamRead } from "../metadata/metadata-store.ts";

/** What reading needs: records and the store of values. */
export interface ReadingStores {
  readonly metadata: MetadataReader;
  readonly artifacts: Pick<ArtifactStore, "payload">;
}

/** One artifact that was read through the client; the runner adds the task and records it as lineage. */
export type ClientRead = Omit<UpstreamRead, "task">;

/**
 * Loads artifacts for the client. Every read checks the bytes against the digest of the record and gives a fresh value, so
 * that a caller who changes one changes nothing for others.
 */
export class ArtifactReader {
  readonly #stores: ReadingStores;
  readonly #onRead: ((read: ClientRead) => void) | undefined;

  constructor(stores: ReadingStores, onRead?: (read: ClientRead) => void) {
    this.#stores = stores;
    this.#onRead = onRead;
  }

  /**
   * @param owner  the task that left the artifact, or the run for its parameters and constants: `Train/17/end`
   * @throws FlowError FLOW_CLIENT_READ_FAILED, naming owner, artifact and digest; its cause says what is wrong
   */
  async read(run: RunRow, owner: string, artifact: ArtifactRow): Promise<unknown> {
    try {
      const blob = await this.#stores.metadata.blob(artifact.digest);
      const payload = await this.#stores.artifacts.payload(artifact, blob);
      const value = decodeValue(artifact.codec, payload, { unknownClasses: "keep" });
      this.#onRead?.({ producer: run.id, artifact: artifact.name, codec: artifact.codec, digest: artifact.digest });
      return value;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const hint = isFlowError(error) && error.hint !== undefined ? error.hint : "Run flow validate to see what else is damaged";
      throw new FlowError("FLOW_CLIENT_READ_FAILED", {
        message: `Cannot read "${artifact.name}" of ${owner} (${artifact.codec}, ${artifact.digest}): ${why}`,
        hint,
        context: { run: run.id, owner, artifact: artifact.name, codec: artifact.codec, digest: artifact.digest },
        cause: error,
      });
    }
  }
}
