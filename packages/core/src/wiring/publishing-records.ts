/**
 * Records of a store whose values lie in a bucket: the same contract, and the bucket is told of what is written. A run succeeds only after its packs
 * and its manifest are there. All else is recorded first and told then; what could not be told is told by the next command.
 *
 * The room that publishes, and the bucket, are loaded when they are first needed: whoever only reads needs neither.
 */
import { FlowError, isFlowError } from "../errors/flow-error.ts";
import type { MetadataStore, RunSequence } from "../metadata/metadata-store.ts";
import type { Publisher, RunPublisher } from "../publish/publisher.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { within } from "../util/within.ts";

export interface PublishingRecords {
  readonly metadata: MetadataStore;
  /**
   * Tells the bucket what was noted for it since and not told, such as deletions; never fails. Call it before the records are closed. What was
   * noted before is left to who writes: a command that only reads waits for no bucket.
   */
  settle(): Promise<void>;
  /**
   * As `settle`, for who is about to take values away: the bucket must know of deleted runs, and must be that of these records, which
   * know what is named.
   *
   * @throws FlowError FLOW_PUBLISH_OTHER_STORE, FLOW_PUBLISH_FORKED, and those of the bucket
   */
  tell(): Promise<void>;
}

export interface PublishingOptions {
  /** Opens the bucket below the prefix of the store. */
  readonly openBucket: () => Promise<BlobStore>;
  /** Told of what was recorded and could not be told to the bucket. */
  readonly onUntold: (error: unknown) => void;
  /** Keeps other processes of this machine from telling the bucket meanwhile. Default: there is none. */
  readonly lock?: () => Promise<{ release(): void }>;
}

/** After these, nothing that is recorded here is ever told. */
const FOR_GOOD = ["FLOW_PUBLISH_OTHER_STORE", "FLOW_PUBLISH_FORKED", "FLOW_PUBLISH_NEWER_FORMAT"] as const;
const FAREWELL_MS = 10_000;
/** A program that runs many flows, one inside the other even, asks so often whether another copy of the store has gone on. */
const LOOK_MS = 10_000;

function tooSlow(): FlowError {
  return new FlowError("FLOW_STORAGE_TIMEOUT", {
    message: `The bucket took longer than ${FAREWELL_MS / 1_000} s to be told how the run ended`,
    hint: "See that the service can be reached; the next command that writes tells it",
  });
}

export function publishingRecords(
  metadata: MetadataStore,
  { openBucket, onUntold, lock }: PublishingOptions,
): PublishingRecords {
  let opened: Promise<Publisher> | undefined;
  const publisher = (): Promise<Publisher> => {
    opened ??= Promise.all([import("../publish/publisher.ts"), openBucket()]).then(
      ([room, bucket]) => new room.Publisher({ metadata, bucket, onUnwritten: onUntold, lock }),
      (error: unknown) => {
        opened = undefined;
        throw error;
      },
    );
    return opened;
  };
  const before = metadata.bucket.lastNews();
  before.catch(() => {}); // Records that cannot be read say so to whoever reads them.
  let isUntold = false;
  const runs = new Map<RunSequence, Promise<RunPublisher>>();
  const runOf = (run: RunSequence): Promise<RunPublisher> => {
    const made = runs.get(run) ?? publisher().then(async (on) => on.run((await metadata.run(run))!));
    runs.set(run, made);
    made.catch(() => runs.delete(run)); // The next one tries again.
    return made;
  };
  const untold = (error: unknown): void => {
    if (!isUntold) onUntold(error);
    isUntold = true;
  };
  /** What was recorded stays recorded. */
  const told = async (work: (on: Publisher) => Promise<void>): Promise<void> => {
    try {
      await work(await publisher());
    } catch (error) {
      untold(error);
    }
  };
  /** Whether the bucket can be told now. Another copy of the store that has gone on ends it here: what would be recorded could never be told. */
  const isThere = async (): Promise<boolean> => {
    try {
      await (await publisher()).look(0);
      return true;
    } catch (error) {
      if (FOR_GOOD.some((code) => isFlowError(error, code))) throw error;
      untold(error);
      return false;
    }
  };
  const thenTell = async <T>(work: () => Promise<T>): Promise<T> => {
    const canTell = await isThere();
    const answer = await work();
    if (canTell) await told((on) => on.tell());
    return answer;
  };
  const own: Partial<MetadataStore> = {
    async createRun(run) {
      // Whoever may not write into the bucket learns it before the work, and not after.
      await (await publisher()).look(LOOK_MS);
      return await metadata.createRun(run);
    },
    async beginExecution(begin) {
      await (await publisher()).look(LOOK_MS);
      runs.delete(begin.run);
      return await metadata.beginExecution(begin);
    },
    async commitTick(tick) {
      const answer = await metadata.commitTick(tick);
      // What is not gathered here is read from the records when the run ends.
      if (tick.blobs.length > 0)
        void runOf(tick.run)
          .then((run) => run.committed(tick.blobs))
          .catch(() => {});
      return answer;
    },
    async finishRun(finish) {
      if (finish.status === "succeeded") await (await runOf(finish.run)).beforeSuccess(finish);
      const row = await metadata.finishRun(finish);
      const telling = told(async (on) => {
        const run = await runOf(finish.run);
        await on.tell().finally(() => run.stop());
      });
      // Whoever stopped the run, or saw it fail for its bucket, does not wait for the same bucket once more.
      if (finish.status === "succeeded") await telling;
      else if (!(await within(FAREWELL_MS, telling))) untold(tooSlow());
      runs.delete(finish.run);
      return row;
    },
    importRuns: (input) => thenTell(() => metadata.importRuns(input)),
    moveTags: (move) => thenTell(() => metadata.moveTags(move)),
    addSignature: (run, signature) => thenTell(() => metadata.addSignature(run, signature)),
    setTagPolicy: (change) => thenTell(() => metadata.setTagPolicy(change)),
    removeTagPolicy: (pattern, by) => thenTell(() => metadata.removeTagPolicy(pattern, by)),
  };
  return {
    metadata: new Proxy(metadata, {
      get(target, name) {
        if (name in own) return Reflect.get(own, name);
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    }),
    async tell() {
      await (await publisher()).look(0);
      if ((await metadata.bucket.news(1)).length > 0) await (await publisher()).tell();
    },
    async settle() {
      if (isUntold || (await metadata.bucket.lastNews()) === (await before)) return; // It was said, or there is nothing to say.
      if ((await metadata.bucket.news(1)).length > 0) await told((on) => on.tell());
    },
  };
}
