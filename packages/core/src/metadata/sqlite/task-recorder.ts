/** The digests of tasks that finish in a tick, each over what it leaves and over that of the task which it starts from. */
import type { Statement } from "better-sqlite3";
import type { FinishedTask, NewTask } from "../metadata-store.ts";
import {
  cacheEntryDigest,
  metricFacts,
  type TaskRecord,
  type TermReason,
  taskDigest,
  termsText,
} from "../record-digest.ts";
import { itemPages, ownArtifacts } from "../sql/artifacts.ts";
import { digestOfBytes } from "../sql/rows.ts";
import { recordOfTask, taskBySequence } from "../sql/tasks.ts";
import type { Connection } from "./connection.ts";
import { metricsOfTasks } from "./recorded-metrics.ts";
import type { Statements } from "./statements.ts";

/** The columns that a task's end gets with it. */
export interface RecordColumns {
  readonly terms: string | null;
  /** Null where it starts from a task that has none: one that an older program finished. */
  readonly digest: Buffer | null;
}

const NOTHING: RecordColumns = { terms: null, digest: null };

export class TaskRecorder {
  readonly #db: Connection;
  readonly #statements: Statements;
  readonly #readRecord: Statement<unknown[], unknown>;
  /** Of tasks that were looked up or finished in this tick: a thousand items of a foreach start from one task. */
  readonly #digests = new Map<number, string | null>();

  constructor(db: Connection, statements: Statements) {
    this.#db = db;
    this.#statements = statements;
    this.#readRecord = statements.raw(recordOfTask, ["sequence"]);
  }

  /** A tick that failed may have been forgotten by the store. */
  begin(): void {
    this.#digests.clear();
  }

  /** @param started the task, where it begins in this tick; otherwise its row is read */
  record(end: FinishedTask, started?: Pick<NewTask, "step" | "path" | "inherits">): RecordColumns {
    const task = started ?? this.#started(end.sequence);
    if (task === undefined) return NOTHING; // It is told by whoever writes the end.
    const parent = task.inherits === undefined ? null : this.#digestOf(task.inherits);
    const { terms, artifacts, pages, metrics } =
      end.takenFrom === undefined ? leftBy(end) : this.#leftBy(end.takenFrom, end);
    if (task.inherits !== undefined && parent === null) {
      this.#digests.set(end.sequence, null);
      return { terms, digest: null };
    }
    const digest = taskDigest({
      step: task.step,
      path: task.path,
      status: end.status,
      fanOut: end.fanOut ?? null,
      choice: end.choice ?? null,
      parent,
      terms,
      valueReads: end.valueReads === undefined ? null : JSON.stringify(end.valueReads),
      metrics,
      artifacts,
      pages,
    });
    this.#digests.set(end.sequence, digest);
    return { terms, digest: Buffer.from(digest, "hex") };
  }

  /** The digest of an entry of the step cache that offers a task. */
  entryDigest(task: number, key: string, reads: string): Buffer | null {
    const left = this.#digestOf(task);
    return left === null ? null : Buffer.from(cacheEntryDigest({ key, reads, task: left }), "hex");
  }

  #digestOf(task: number): string | null {
    const known = this.#digests.get(task);
    if (known !== undefined) return known;
    const row = this.#readRecord.get(task) as { readonly record_digest: Uint8Array | null } | undefined;
    const digest = row === undefined || row.record_digest === null ? null : digestOfBytes(row.record_digest);
    this.#digests.set(task, digest);
    return digest;
  }

  #started(sequence: number): Pick<NewTask, "step" | "path" | "inherits"> | undefined {
    const row = this.#statements.get(taskBySequence, { sequence });
    if (row === undefined) return undefined;
    const { step, path, inherits } = row;
    return { step, path, ...(inherits === null ? {} : { inherits: inherits as never }) } as Pick<
      NewTask,
      "step" | "path" | "inherits"
    >;
  }

  /** What a task leaves that has the outcome of another one, with what it leaves besides. */
  #leftBy(from: number, end: FinishedTask): Left {
    const own = leftBy(end);
    const artifacts = this.#statements.all(ownArtifacts, { task: from });
    const pages = this.#statements.all(itemPages, { split: from });
    const row = this.#readRecord.get(from) as { readonly terms: string | null } | undefined;
    return {
      terms: row?.terms ?? own.terms,
      artifacts: [
        ...artifacts.map(({ name, codec, digest }) => [name, codec, digestOfBytes(digest)] as const),
        ...own.artifacts,
      ],
      pages: [
        ...pages.map(({ first, count, codec, digest }) => [first, count, codec, digestOfBytes(digest)] as const),
        ...own.pages,
      ],
      metrics: [...(metricsOfTasks(this.#db, { after: from - 1, upTo: from }).get(from) ?? []), ...own.metrics],
    };
  }
}

type Left = Pick<TaskRecord, "terms" | "artifacts" | "pages" | "metrics">;

function leftBy({ artifacts, pages, metrics = [] }: FinishedTask): Left {
  const terms: (readonly [string, readonly TermReason[]])[] = [];
  for (const { name, term } of artifacts)
    if (term !== undefined)
      terms.push([
        name,
        [
          ...(term.isTransient ? (["transient"] as const) : []),
          ...(term.ttlMs === undefined ? [] : (["ttl"] as const)),
        ],
      ]);
  return {
    terms: termsText(terms),
    artifacts: artifacts.map(({ name, codec, digest }) => [name, codec, digest] as const),
    pages: pages.map(({ first, count, codec, digest }) => [first, count, codec, digest] as const),
    metrics: metrics
      .filter(({ values }) => values.length > 0)
      .map(({ name, values, steps }) => metricFacts(name, values, steps)),
  };
}
