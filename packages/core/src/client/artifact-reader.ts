import type { ArtifactStore } from "../artifact/artifact-store.ts";
import { decodeValue } from "../artifact/value-codec.ts";
import { FlowError, isFlowError } from "../errors/flow-error.ts";
import { changedRecord, refuseChanged } from "../lineage/changed-records.ts";
import type { ArtifactRow, MetadataReader, RunRow, TaskSequence, UpstreamRead } from "../metadata/metadata-store.ts";

/** What reading needs: records and the store of values. */
export interface ReadingStores {
  readonly metadata: MetadataReader;
  readonly artifacts: Pick<ArtifactStore, "payload" | "file">;
}

/** One artifact that was read through the client: inside a step, the running task records it as lineage. */
export type ClientRead = Omit<UpstreamRead, "task">;

export interface ArtifactReaderOptions {
  /** Called for each artifact that was read, when it was found whole; the default client tells the running task. */
  readonly onRead?: (read: ClientRead) => void;
  /** Whether instances of unregistered classes are read as `StoredInstance` (keep, the default) or refused. */
  readonly unknownClasses?: "keep" | "refuse";
}

/**
 * Loads artifacts for the client. Every read checks the bytes against the digest of the record and gives a fresh value, so
 * that a caller who changes one changes nothing for others.
 */
export class ArtifactReader {
  readonly #stores: ReadingStores;
  readonly #onRead: ((read: ClientRead) => void) | undefined;

  readonly #unknownClasses: "keep" | "refuse";

  constructor(stores: ReadingStores, options: ArtifactReaderOptions = {}) {
    this.#stores = stores;
    this.#onRead = options.onRead;
    this.#unknownClasses = options.unknownClasses ?? "keep";
  }

  /**
   * @param owner  the task that left the artifact, or the run for its parameters and constants: `Train/17/end`
   * @param task  the task whose artifacts are read; absent for what the run was given
   * @throws FlowError FLOW_METADATA_CHANGED_RECORDS when the records that lead to the artifact are not those that were written
   * @throws FlowError FLOW_ARTIFACT_MISSING, FLOW_ARTIFACT_DAMAGED and others of the artifact room, naming owner, artifact
   *   and digest
   */
  async read(run: RunRow, owner: string, artifact: ArtifactRow, task?: TaskSequence): Promise<unknown> {
    const subject = `"${artifact.name}" of ${owner}`;
    await this.#checkRecords(run, task, subject);
    try {
      const blob = await this.#stores.metadata.blob(artifact.digest);
      const value =
        this.#stores.artifacts.file(artifact, blob, { subject }) ??
        decodeValue(artifact.codec, await this.#stores.artifacts.payload(artifact, blob, { subject }), {
          unknownClasses: this.#unknownClasses,
        });
      this.#onRead?.({ producer: run.id, artifact: artifact.name, codec: artifact.codec, digest: artifact.digest });
      return value;
    } catch (error) {
      if (!isFlowError(error)) throw error;
      // Bytes that are missing or damaged are reported with their owner already; what decoding says has none.
      const message = error.message.includes(subject)
        ? error.message
        : `Cannot read ${subject} (${artifact.digest}): ${error.message}`;
      throw new FlowError(error.code, {
        message,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
        context: {
          ...error.context,
          run: run.id,
          owner,
          artifact: artifact.name,
          codec: artifact.codec,
          digest: artifact.digest,
        },
        cause: error,
      });
    }
  }

  async #checkRecords(run: RunRow, task: TaskSequence | undefined, subject: string): Promise<void> {
    const { metadata } = this.#stores;
    for (const part of ["run" as const, ...(task === undefined ? [] : [task])]) {
      const faults = await metadata.recordFaults(run.sequence, part);
      refuseChanged(
        faults.map((fault) => changedRecord(run, fault)),
        `Cannot read ${subject}`,
      );
    }
  }
}
