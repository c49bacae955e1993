/** Records for the suite: whole ones, with what a test cares about put in. */
import { createHash } from "node:crypto";
import type { Digest } from "../../../packages/core/src/artifact/artifact.ts";
import type { EnvironmentRecord, RunnerIdentity } from "../../../packages/core/src/events/run-record.ts";
import { newRunId } from "../../../packages/core/src/ids/run-id.ts";
import type {
  ArtifactRow,
  BlobRow,
  FinishedTask,
  MetadataStore,
  NewRun,
  NewTask,
  RunRow,
  RunSequence,
  TaskSequence,
  Tick,
} from "../../../packages/core/src/metadata/metadata-store.ts";

export const environment: EnvironmentRecord = {
  millrace: "0.1.0",
  node: "24.0.0",
  os: "linux",
  arch: "x64",
  host: "mill",
  actor: "miller",
  cwd: "/work place/ü",
  command: ["flow", "run", "train.ts"],
  git: { sha: "0".repeat(40), dirty: false },
};

export const noon = new Date("2026-05-04T12:00:00.123Z");

export function digestOf(text: string): Digest {
  return createHash("sha256").update(text).digest("hex") as Digest;
}

/** A small blob that lies in the database. */
export function blobOf(text: string): BlobRow {
  const stored = new TextEncoder().encode(text);
  return { digest: digestOf(text), sizeBytes: stored.length, storedBytes: stored.length, compression: "none", stored };
}

export function artifactOf(name: string, text: string): ArtifactRow {
  return { name, codec: "text", digest: digestOf(text), sizeBytes: new TextEncoder().encode(text).length };
}

export function newRun(changes: Partial<NewRun> = {}): NewRun {
  return {
    id: newRunId(),
    flow: { project: "shop", name: "Train" },
    formerly: [],
    createdAt: noon,
    tags: [],
    systemTags: [],
    parameters: {},
    secretParameters: [],
    values: [],
    environment,
    upstreams: [],
    blobs: [],
    actor: "miller",
    host: "mill",
    execution: { runner, command: environment.command },
    ...changes,
  };
}

/** A runner far away, of which nothing is known but its heartbeats. */
export const runner: RunnerIdentity = { host: "mill", pid: 7, bootId: "b", pidNamespace: "pid:[1]", startedAt: "99" };

/** A tick of a run: of the one that its first task names, when tasks start in it. */
export function tick(changes: Partial<Tick> & ({ readonly run: RunSequence } | Pick<Tick, "started">)): Tick {
  const run = changes.run ?? changes.started![0]!.run;
  return { run, execution: 1, started: [], blobs: [], finished: [], reads: [], logs: [], ...changes };
}

export function started(run: RunRow | RunSequence, sequence: number, changes: Partial<NewTask> = {}): NewTask {
  return {
    sequence: sequence as TaskSequence,
    run: typeof run === "object" ? run.sequence : run,
    step: "start",
    path: "",
    attempt: 0,
    startedAt: noon,
    ...changes,
  };
}

export function finished(sequence: number, changes: Partial<FinishedTask> = {}): FinishedTask {
  return {
    sequence: sequence as TaskSequence,
    status: "succeeded",
    finishedAt: new Date(noon.getTime() + 1_000),
    artifacts: [],
    pages: [],
    ...changes,
  };
}

/** Creates a run and ends it. */
export async function finishedRun(
  store: MetadataStore,
  changes: Partial<NewRun> = {},
  status: "succeeded" | "failed" | "cancelled" = "succeeded",
): Promise<RunRow> {
  const run = await store.createRun(newRun(changes));
  return store.finishRun({ run: run.sequence, execution: 1, status, finishedAt: noon });
}

/** What a run has, in one text each, for short comparisons: `Train/3`. */
export function names(rows: readonly RunRow[]): readonly string[] {
  return rows.map((row) => `${row.flow.name}/${row.number}`);
}

export const noSuchRun = 999_999 as RunSequence;
export const noSuchTask = 999_999 as TaskSequence;
