/**
 * Whole runs on stores of which one call goes wrong: each call of each verb, in every way. A run may fail; it may not end
 * well with something missing, give a value that is another one, or wait for ever.
 */
import { setTimeout as wait } from "node:timers/promises";
import { Flow, type Inputs, join, step } from "@millrace/core";
import { afterAll, describe, expect, test } from "vitest";
import { ArtifactStore } from "../../packages/core/src/artifact/artifact-store.ts";
import { isFlowError } from "../../packages/core/src/errors/flow-error.ts";
import type { RunRow } from "../../packages/core/src/metadata/metadata-store.ts";
import { openMemoryMetadata } from "../../packages/core/src/metadata/sqlite/memory-metadata.ts";
import { describeUserError } from "../../packages/core/src/package/user-stack.ts";
import { InlineExecutor } from "../../packages/core/src/runner/inline-executor.ts";
import { openMemoryBlobStore } from "../../packages/core/src/storage/memory/memory-blob-store.ts";
import { createGivenRun } from "../../packages/core/src/testing/given-run.ts";
import { seededRunId } from "../../packages/core/src/testing/seeded-run-id.ts";
import { executeRun } from "../../packages/core/src/wiring/execute-run.ts";
import { faultyBlobStore } from "../kit/faulty-blob-store.ts";
import { faultyMetadataStore } from "../kit/faulty-metadata-store.ts";
import { type FaultKind, faultsAtEachCall, type PlannedFault, PlannedFaults } from "../kit/planned-faults.ts";
import { sample, seeded } from "../kit/seed.ts";
import { times } from "./twenty.ts";

const HANG_MS = 20_000;
const KINDS: readonly FaultKind[] = ["fail", "stall", "truncate", "lie", "lose"];
const { seed, random } = seeded("wrapped-stores");
const tally = { tried: 0, happened: 0, succeeded: 0 };
afterAll(() => console.log(`wrapped stores: ${JSON.stringify(tally)}`));

class Waves extends Flow {
  items!: number[];
  wave!: Float64Array;
  sum!: number;
  sums!: number[];
  all!: Float64Array;
  @step({ next: "work", foreach: "items" }) start() {
    this.items = [1, 2, 3];
  }
  @step({ next: "gather" }) work(item: number) {
    this.wave = Float64Array.from({ length: 4_000 }, (_, n) => Math.sqrt(item * 4_000 + n));
    console.log(`item ${item}`);
  }
  @join({ next: "total" }) gather(inputs: Inputs<Waves>) {
    this.all = Float64Array.from(inputs.flatMap((input) => [...input.wave]));
    this.sums = inputs.map((input) => input.wave.reduce((sum, each) => sum + each, 0));
  }
  @step({ next: "end" }) total() {
    this.sum = this.all.reduce((sum, each) => sum + each, 0) + this.sums.length;
  }
  @step() end() {}
}

interface Outcome {
  /** As it is recorded, whatever the runner was told. */
  readonly status: RunRow["status"];
  /** What the runner saw: a row, or an error. */
  readonly ended: RunRow | Error;
  readonly values: Readonly<Record<string, string>>;
  /** Codes of values that could not be read. */
  readonly unreadable: readonly string[];
}

async function runWith(blobFaults: PlannedFaults, recordFaults: PlannedFaults): Promise<Outcome> {
  const { metadata, reader } = openMemoryMetadata();
  const blobs = openMemoryBlobStore();
  const sound = { metadata, reader, artifacts: new ArtifactStore(blobs), close: async () => {} };
  const { prepared, row } = await createGivenRun(sound, Waves, { id: seededRunId(1), createdAt: new Date() });
  const executor = new InlineExecutor({
    flowClass: prepared.flowClass,
    artifacts: new ArtifactStore(faultyBlobStore(blobs, blobFaults)),
    reader,
    describeError: describeUserError,
  });
  const never = new AbortController().signal;
  const running = executeRun({
    stores: { metadata: faultyMetadataStore(metadata, recordFaults), folder: "memory", isInPlace: () => true },
    row,
    execution: 1,
    prepared,
    executor,
    emit: () => {},
    signals: { stop: never, endNow: never },
  }).catch((error: Error) => error);
  const ended = await Promise.race([running, wait(HANG_MS, undefined, { ref: false })]);
  await executor.close();
  if (ended === undefined) throw new Error(`it did not end within ${HANG_MS} ms`);
  const values: Record<string, string> = {};
  const unreadable: string[] = [];
  for (const task of await metadata.tasks({ run: row.sequence })) {
    if (task.status !== "succeeded") continue;
    values[`${task.step}/${task.path}`] = "";
    for (const artifact of await metadata.ownArtifacts(task.sequence)) {
      values[`${task.step}/${task.path}.${artifact.name}`] = artifact.digest;
      await sound.artifacts.payload(artifact, await metadata.blob(artifact.digest)).catch((error: unknown) => {
        unreadable.push(isFlowError(error) ? error.code : String(error));
      });
    }
  }
  const { status } = (await metadata.run(row.sequence))!;
  await metadata.close();
  return { status, ended, values, unreadable };
}

const none = (): PlannedFaults => new PlannedFaults([]);

describe("one call of a store goes wrong", () => {
  const check = (fault: PlannedFault, wanted: Outcome, { status, ended, values, unreadable }: Outcome): void => {
    // A store that says it has written and has not is found out by whoever reads, and by nobody before.
    // By then the run has met something else that is wrong: any error with a code will do.
    const isUnfaithful =
      (fault.kind === "lie" || fault.kind === "truncate") && /^(put|replace|commitTick)/.test(fault.verb);
    expect(wanted.values).toMatchObject(values);
    const codes = isUnfaithful ? /^FLOW_/ : /^FLOW_(STORAGE|METADATA|ARTIFACT)_/;
    if (!isUnfaithful) expect(unreadable).toEqual([]);
    for (const code of unreadable) expect(code).toMatch(/^FLOW_ARTIFACT_(MISSING|DAMAGED)$/);
    if (ended instanceof Error) {
      expect(ended).toMatchObject({ code: expect.stringMatching(codes) as string });
    } else if (ended.status === "succeeded") {
      expect(status).toBe("succeeded");
      tally.succeeded++;
    } else {
      expect([status, ended.failure?.error.code]).toEqual(["failed", expect.stringMatching(codes)]);
    }
    // Of what nobody reads later, such a store has less than it said, and still nothing that is wrong (see above).
    if (status === "succeeded" && !isUnfaithful) expect(values).toEqual(wanted.values);
  };

  test.each(["blobs", "records"] as const)("of %s", { timeout: 1_200_000 }, async (which) => {
    const counted = none();
    const wanted = await (which === "blobs" ? runWith(counted, none()) : runWith(none(), counted));
    expect([wanted.status, wanted.unreadable, Object.keys(wanted.values).length]).toEqual(["succeeded", [], 14]);
    const all = faultsAtEachCall(counted.counts, KINDS, seed);
    expect(all.length).toBeGreaterThan(40);
    const wrong: string[] = [];
    for (const fault of sample(all, times(20, all.length), random)) {
      const faults = new PlannedFaults([fault]);
      try {
        const outcome = await (which === "blobs" ? runWith(faults, none()) : runWith(none(), faults));
        tally.tried++;
        if (faults.happened.length > 0) tally.happened++;
        check(fault, wanted, outcome);
      } catch (error) {
        wrong.push(`${JSON.stringify(fault)}: ${(error as Error).message}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});
