/**
 * Runs of another store, inside the caller's transaction. Rows come one by one from whoever reads them and go in by prepared
 * statements: a run of 100,000 tasks is never in memory as a whole.
 */
import type { Statement } from "better-sqlite3";
import { FlowError, problemsError } from "../../errors/flow-error.ts";
import { assertNever } from "../../util/assert-never.ts";
import { canonicalJson } from "../canonical-json.ts";
import type { ImportedFacts, ImportedRow, ImportedRun, ImportedTask, ImportRuns, RunImport } from "../imported-run.ts";
import type { RunSequence } from "../metadata-store.ts";
import { insertArtifact, insertGone, insertItemPage } from "../sql/artifacts.ts";
import { childRun, insertChildRun, insertExecution } from "../sql/executions.ts";
import { insertLog } from "../sql/logs.ts";
import { SCHEMA_VERSION } from "../sql/migrations/migrations.ts";
import { insertPackage, insertPackageBlob } from "../sql/packages.ts";
import { bytesOfDigest, upstreamColumns } from "../sql/rows.ts";
import * as runs from "../sql/runs.ts";
import { putTagRequest } from "../sql/tag-policies.ts";
import { insertTask, reserveTasks, setTaskOrigin, taskByPlace } from "../sql/tasks.ts";
import { insertUpstream, insertUpstreamRead } from "../sql/upstreams.ts";
import { policyFor } from "../tag-policy.ts";
import type { Connection } from "./connection.ts";
import { flowFor } from "./create-run.ts";
import { moveTags, readPolicies, taggedRun } from "./move-tags.ts";
import { parameterDigest } from "./parameter-digest.ts";
import { describeMismatches } from "./record-faults.ts";
import { insertSignatureAt } from "./signatures.ts";
import type { Statements } from "./statements.ts";
import { type HoldsBlob, insertBlobs, namingABlob } from "./write-blobs.ts";
import { MetricWriter } from "./write-metrics.ts";

/** Blobs that are handed to the database at once. */
const BLOBS_AT_ONCE = 100;
/** Faults of one run that are told. */
const MAX_FAULTS = 20;
/** Stands for a task of a run that is not in this store; no task has it. */
const NO_TASK = 0;

/** Answers the numbers of the runs, in their order. */
export function importRuns(
  db: Connection,
  statements: Statements,
  input: ImportRuns,
  holds?: HoldsBlob,
): readonly RunSequence[] {
  const batch = [];
  for (const blob of input.blobs()) {
    if (batch.push(blob) < BLOBS_AT_ONCE) continue;
    insertBlobs(statements, batch, holds);
    batch.length = 0;
  }
  insertBlobs(statements, batch, holds);
  for (const { digest, manifest, blobs } of input.packages) {
    const bytes = bytesOfDigest(digest);
    if (statements.run(insertPackage, { digest: bytes, manifest }) === 0) continue; // It is there already.
    for (const blob of blobs) {
      namingABlob(`a file of the code package ${digest}`, blob, () =>
        statements.run(insertPackageBlob, { package: bytes, digest: bytesOfDigest(blob) }),
      );
    }
  }
  // Below all that are there: no selector that means a run of this store now means another one afterwards.
  const lowest = Math.min(statements.get(runs.lowestRun, {})?.sequence ?? 0, 0);
  return input.runs.map((run, index) => {
    const sequence = lowest - input.runs.length + index;
    const importer = new RunImporter(statements, run, sequence);
    for (const row of run.rows()) importer.add(row);
    importer.moveTags(run.tags, run.imported);
    const faults = finishRun(db, run, sequence);
    if (faults.length > 0) throw changedRecords(run, faults);
    return sequence as RunSequence;
  });
}

/** The last of a run, when all its rows are in: its digests, and what does not fit to them, in words. */
export function finishRun(db: Connection, run: WrittenFacts, sequence: number): readonly string[] {
  const { startDigest, endDigest } = run;
  if (startDigest !== undefined)
    db.prepare("UPDATE run SET start_digest = ? WHERE sequence = ?").run(bytesOfDigest(startDigest), sequence);
  if (endDigest !== undefined)
    db.prepare("UPDATE execution SET end_digest = ? WHERE run = ? AND number = ?").run(
      bytesOfDigest(endDigest),
      sequence,
      run.execution,
    );
  return describeMismatches(db, sequence);
}

function changedRecords({ id, imported }: ImportedRun, faults: readonly string[]): FlowError {
  return problemsError(
    `Cannot import ${imported.run} (${id}): its records are not those that were written`,
    faults.slice(0, MAX_FAULTS).map((message) => ({
      code: "FLOW_METADATA_CHANGED_RECORDS",
      message,
      hint: "Export the run again from a store that flow store verify finds whole",
    })),
  );
}

/** What is written of a run; one that was not imported has nothing of that. */
export type WrittenFacts = Omit<ImportedFacts, "imported"> & Partial<Pick<ImportedFacts, "imported">>;

/** Writes a run: its own row when it is made, then those that are added. */
export class RunImporter {
  readonly #statements: Statements;
  readonly #run: WrittenFacts;
  readonly #sequence: number;
  readonly #flow: number;
  /** Number of the run's task 0. */
  readonly #firstTask: number;
  readonly #insertTask: Statement<unknown[], unknown>;
  readonly #metrics: MetricWriter;
  #signatures = 0;

  /** @param known flow and number that the run has, where it is not to get the next ones */
  constructor(
    statements: Statements,
    run: WrittenFacts,
    sequence: number,
    known?: { readonly flow: number; readonly number: number },
  ) {
    if (statements.get(runs.runById, { id: run.id }) !== undefined) {
      throw new FlowError("FLOW_METADATA_CONFLICT", {
        message: `Cannot import the run ${run.id}: the store has a run of this id`,
        hint: "Import again: what came in meanwhile is left out",
        context: { run: run.id },
      });
    }
    this.#statements = statements;
    this.#metrics = new MetricWriter(statements);
    this.#run = run;
    this.#sequence = sequence;
    this.#flow = known?.flow ?? flowFor(statements, { flow: run.flow, formerly: [] });
    this.#firstTask =
      run.taskCount === 0 ? 1 : statements.get(reserveTasks, { count: run.taskCount })!.next_task - run.taskCount;
    this.#insertTask = statements.raw(insertTask, [
      "sequence",
      "run",
      "step",
      "path",
      "attempt",
      "status",
      "started_at",
      "finished_at",
      "inherits",
      "fan_out",
      "choice",
      "error",
      "origin",
      "origin_kind",
      "value_reads",
      "cancelled_by",
      "duration_ms",
      "terms",
      "record_digest",
    ]);
    this.#insertRun(known?.number ?? statements.get(runs.nextNumber, { id: this.#flow })!.last_number);
    this.#insertCall();
  }

  /** Gives the run the tags that it is to hold in this store. */
  moveTags(tags: readonly string[], imported: RunImport): void {
    moveTags(this.#statements, taggedRun(this.#statements, this.#sequence), {
      add: this.#freeTags(tags, imported),
      remove: [],
      actor: imported.actor,
      host: imported.host,
      at: imported.at,
      via: "flow import",
      reason: `held by ${imported.run} in the store ${imported.store}`,
    });
  }

  /** Importing moves nothing that a policy of this store guards: such a tag is kept as a request that was refused. */
  #freeTags(tags: readonly string[], imported: RunImport): readonly string[] {
    const known = readPolicies(this.#statements);
    return [...new Set(tags)].filter((tag) => {
      const policy = policyFor(known, tag);
      if (policy === undefined) return true;
      const { actor, host, at } = imported;
      this.#statements.run(putTagRequest, {
        run: this.#sequence,
        tag,
        at: at.getTime(),
        actor,
        host,
        via: "flow import",
        reason: null,
        status: "refused",
        why: `an imported run takes no tag under a policy (${policy.patterns.join(", ")})`,
      });
      return false;
    });
  }

  #insertRun(number: number): void {
    const run = this.#run;
    const statements = this.#statements;
    const { run: origin, ...facts } = run.origin ?? { run: null };
    statements.run(runs.insertOverRun, {
      sequence: this.#sequence,
      id: run.id,
      flow: this.#flow,
      project: run.flow.project,
      flow_name: run.flow.name,
      number,
      status: run.status,
      created_at: run.createdAt.getTime(),
      started_at: run.startedAt?.getTime() ?? null,
      finished_at: run.finishedAt?.getTime() ?? null,
      end_task: run.endTask === undefined ? null : this.#firstTask + run.endTask,
      package_digest: run.packageDigest === undefined ? null : bytesOfDigest(run.packageDigest),
      system_tags: JSON.stringify(run.systemTags),
      parameters: canonicalJson(run.parameters, "the parameters"),
      secret_parameters: JSON.stringify(run.secretParameters),
      environment: JSON.stringify(run.environment),
      failure: run.failure === undefined ? null : JSON.stringify(run.failure),
      execution: run.execution,
      origin,
      origin_facts:
        run.imported === undefined && origin === null ? null : JSON.stringify({ ...facts, imported: run.imported }),
      parent: run.parent === undefined ? null : JSON.stringify(run.parent),
    });
    // A flow that was not known has a newest run of 0, which no run is.
    const { newest_run } = statements.get(runs.flowCounters, { id: this.#flow })!;
    if (newest_run === 0 || newest_run < this.#sequence)
      statements.run(runs.setNewestRun, { id: this.#flow, run: this.#sequence });
    for (const [name, value] of Object.entries(run.parameters)) {
      statements.run(runs.insertRunParameter, {
        run: this.#sequence,
        name,
        value_digest: parameterDigest(name, value),
      });
    }
  }

  add(row: ImportedRow): void {
    const statements = this.#statements;
    switch (row.kind) {
      case "execution": {
        const { execution } = row;
        statements.run(insertExecution, {
          run: this.#sequence,
          number: execution.number,
          runner: JSON.stringify(execution.runner),
          actor: execution.actor,
          command: JSON.stringify(execution.command),
          package_digest: execution.packageDigest === undefined ? null : bytesOfDigest(execution.packageDigest),
          options: JSON.stringify(execution.options),
          started_at: execution.startedAt.getTime(),
          heartbeat_at: execution.heartbeatAt.getTime(),
          ended_at: execution.endedAt?.getTime() ?? null,
          status: execution.status,
          program_schema: SCHEMA_VERSION,
        });
        return;
      }
      case "value": {
        const { name, kind, ...ref } = row.value;
        namingABlob(`${kind} "${name}"`, ref.digest, () =>
          statements.run(runs.insertRunValue, { run: this.#sequence, name, kind, ...stored(ref) }),
        );
        return;
      }
      case "upstream":
        statements.run(insertUpstream, upstreamColumns(this.#sequence, row.upstream));
        return;
      case "task":
        this.#writeTask(row.task);
        return;
      case "artifact": {
        const { name, gone, ...ref } = row.artifact;
        const task = this.task(row.task);
        if (gone !== undefined) {
          statements.run(insertGone, { task, name, ...stored(ref), reason: gone.reason, gone_at: gone.at.getTime() });
          return;
        }
        namingABlob(`the artifact "${name}"`, ref.digest, () =>
          statements.run(insertArtifact, { task, name, ...stored(ref) }),
        );
        return;
      }
      case "page": {
        const { first, count, ...ref } = row.page;
        namingABlob(`the items from ${first}`, ref.digest, () =>
          statements.run(insertItemPage, { split: this.task(row.task), first, count, ...stored(ref) }),
        );
        return;
      }
      case "read": {
        const { upstream, producer, artifact, codec, digest } = row.read;
        const task = this.task(row.task);
        statements.run(insertUpstreamRead, {
          upstream: upstream ?? "",
          producer,
          artifact,
          codec,
          digest: bytesOfDigest(digest),
          task,
        });
        return;
      }
      case "metric":
        this.#metrics.write(this.#sequence, this.task(row.task), row.series, row.first);
        return;
      case "log": {
        const { attempt, stream, at, text } = row.chunk;
        statements.run(insertLog, { task: this.task(row.task), attempt, stream, at: at.getTime(), text });
        return;
      }
      case "signature":
        insertSignatureAt(statements, this.#sequence, ++this.#signatures, row.signature);
        return;
      case "origin": {
        const { run: id, ...place } = row.origin;
        const origin = statements.get(taskByPlace, { id, ...place })?.sequence;
        if (origin !== undefined) statements.run(setTaskOrigin, { sequence: this.task(row.task), origin });
        return;
      }
      default:
        assertNever(row);
    }
  }

  #writeTask(task: ImportedTask): void {
    this.#insertTask.run(
      this.task(task.place),
      this.#sequence,
      task.step,
      task.path,
      task.attempt,
      task.status,
      task.startedAt.getTime(),
      task.finishedAt?.getTime() ?? null,
      task.inherits === undefined ? null : this.task(task.inherits),
      task.fanOut ?? null,
      task.choice ?? null,
      task.error === undefined ? null : JSON.stringify(task.error),
      task.takenFrom === undefined ? null : NO_TASK,
      task.takenFrom ?? null,
      task.valueReads === undefined ? null : JSON.stringify(task.valueReads),
      task.cancelledBy ?? null,
      task.durationMs ?? null,
      task.terms ?? null,
      task.recordDigest === undefined ? null : bytesOfDigest(task.recordDigest),
    );
  }

  /** The call that started the run, where the run of that step is in this store and has no other run for it. */
  #insertCall(): void {
    const { parent, callInputs } = this.#run;
    if (parent === undefined || callInputs === undefined) return;
    const run = this.#statements.get(runs.runById, { id: parent.run })?.sequence;
    if (run === undefined) return;
    const { step, path, call } = parent;
    const key = { run, step, path, call, inputs_digest: bytesOfDigest(callInputs) };
    if (this.#statements.get(childRun, key) === undefined)
      this.#statements.run(insertChildRun, { ...key, child: this.#sequence });
  }

  /** Number of a task by its place. */
  task(place: number): number {
    if (Number.isSafeInteger(place) && place >= 0 && place < this.#run.taskCount) return this.#firstTask + place;
    throw new FlowError("FLOW_METADATA_BAD_ARGUMENT", {
      message: `Cannot import the run ${this.#run.id}: it has ${this.#run.taskCount} tasks, and task ${place} was named`,
    });
  }
}

function stored({ codec, digest, sizeBytes }: { codec: string; digest: string; sizeBytes: number }) {
  return { codec, digest: bytesOfDigest(digest), size_bytes: sizeBytes };
}
