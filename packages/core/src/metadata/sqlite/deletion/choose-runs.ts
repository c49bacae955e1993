/**
 * Which runs may be deleted. What keeps a run is looked up from its own side, by indexes: nobody goes through all runs of
 * the store to know what names one. A run that is found to be kept keeps others in turn, which is followed run by run.
 */
import { isFlowError } from "../../../errors/flow-error.ts";
import type { RunnerIdentity, RunStatus } from "../../../events/run-record.ts";
import type { RunId } from "../../../ids/run-id.ts";
import type { KeepReason, KeptRun, RunChoice, RunSelection, TagRule } from "../../deletion-store.ts";
import { type Liveness, livenessOf } from "../../liveness.ts";
import type { RunSequence } from "../../metadata-store.ts";
import { currentExecution } from "../../sql/executions.ts";
import { readColumn } from "../../stored-columns.ts";
import { readPlace } from "../../stored-json.ts";
import { matchesPattern } from "../../tag-policy.ts";
import type { Connection } from "../connection.ts";
import { readPolicies } from "../move-tags.ts";
import { doubtsAbout } from "../run-faults.ts";
import { flowIds } from "../run-reads.ts";
import { Statements } from "../statements.ts";

/** Reasons that are told of one run. */
const MAX_REASONS = 20;
const PAGE = 1_000;

/** A run that is looked at. */
interface Candidate {
  readonly sequence: RunSequence;
  readonly id: RunId;
  readonly flow: number;
  readonly status: RunStatus;
  readonly execution: number;
  readonly endedAt: number;
}

interface RunFacts {
  readonly sequence: number;
  readonly id: string;
  readonly flow: number;
  readonly name: string;
  readonly status: RunStatus;
  readonly execution: number;
  readonly created_at: number;
  readonly finished_at: number | null;
}

const FACTS = `SELECT sequence, id, flow, flow_name || '/' || number AS name, status, execution, created_at, finished_at
  FROM run`;

const text = {
  run: `${FACTS} WHERE sequence = ?`,
  // The plus signs keep the planner from indices of status and flow: it would sort all runs again for each page.
  page: `${FACTS} WHERE sequence < :before AND (+status IN (SELECT value FROM json_each(:statuses)) OR +status = 'running')
    AND (:flows IS NULL OR +flow IN (SELECT value FROM json_each(:flows))) ORDER BY sequence DESC LIMIT ${PAGE}`,
  tags: "SELECT tag FROM run_tag WHERE run = ? ORDER BY tag",
  // What was read of an upstream names it as well: its own row may be lost.
  consumers: `WITH own (id) AS (SELECT ?)
    SELECT run.sequence, run.flow_name || '/' || run.number AS name FROM own CROSS JOIN run
    WHERE run.sequence IN (
      SELECT run FROM upstream WHERE producer = own.id
      UNION SELECT run FROM upstream_read WHERE producer = own.id AND upstream <> ''
    ) ORDER BY run.sequence DESC`,
  producers: `WITH own (run) AS (SELECT ?)
    SELECT run.sequence FROM own CROSS JOIN run WHERE run.id IN (
      SELECT producer FROM upstream WHERE run = own.run
      UNION SELECT producer FROM upstream_read WHERE run = own.run AND upstream <> ''
    )`,
  parents: `SELECT run.sequence, run.flow_name || '/' || run.number AS name
    FROM child_run JOIN run ON run.sequence = child_run.run WHERE child_run.child = ?`,
  children: `SELECT run.sequence, run.flow_name || '/' || run.number AS name
    FROM child_run JOIN run ON run.sequence = child_run.child WHERE child_run.run = ? ORDER BY run.sequence`,
  tasks: "SELECT count(*) FROM task WHERE run = ?",
} as const;

interface Named {
  readonly sequence: number;
  readonly name: string;
}

export class RunChooser {
  readonly #db: Connection;
  readonly #statements: Statements;
  readonly #here: Liveness | undefined;
  readonly #prepared = new Map<string, ReturnType<Connection["prepare"]>>();

  constructor(db: Connection, here: Liveness | undefined) {
    this.#db = db;
    this.#statements = new Statements(db);
    this.#here = here;
  }

  async choose(selection: RunSelection): Promise<RunChoice> {
    const candidates = new Map<RunSequence, Candidate>();
    const unfinished: Candidate[] = [];
    if (selection.kind === "runs") this.#named(selection, candidates, unfinished);
    else await this.#selected(selection, candidates);
    const going = new Map(
      [...candidates]
        .sort(([left], [right]) => right - left)
        .map(([sequence, { status, execution }]) => [sequence, { status, execution }] as const),
    );
    const unfit = new Map<RunSequence, string>();
    const db = keepingStatements(this.#db);
    // Somebody who names a run may mean one whose records do not fit; a policy would decide by those records.
    const doubt = (sequence: RunSequence): boolean => {
      if (selection.kind === "runs") return false;
      const [why, ...more] = db.transaction(() => doubtsAbout(db, this.#statements, sequence)).deferred();
      if (why !== undefined) unfit.set(sequence, more.length === 0 ? why : `${why}, and ${more.length} more`);
      return why !== undefined;
    };
    const dropped = await this.#dropKept(going, candidates, doubt, selection.protects);
    const kept = [...unfinished, ...dropped]
      .sort((left, right) => right.sequence - left.sequence)
      .map((run) => this.#explain(run, going, unfit, selection.protects));
    let tasks = 0;
    for (const sequence of going.keys()) tasks += this.#all<{ "count(*)": number }>("tasks", sequence)[0]!["count(*)"];
    return { going, kept, tasks, protects: selection.protects };
  }

  /** Why a run may not go, though all of `going` does; empty when it may. */
  reasons(
    run: Pick<Candidate, "sequence" | "id">,
    going: RunChoice["going"],
    protects: TagRule,
  ): readonly KeepReason[] {
    const isLeft = ({ sequence }: Named): boolean => !going.has(sequence as RunSequence);
    // Asked each time: a policy that is set while runs are deleted counts from then on.
    const policies = readPolicies(this.#statements);
    return [
      ...this.#tags(run.sequence).flatMap((tag): readonly KeepReason[] => {
        const policy = policies.find(
          ({ protected: isProtected, pattern }) => isProtected && matchesPattern(pattern, tag),
        );
        if (policy !== undefined) return [{ kind: "tag", tag, policy: policy.pattern }];
        return protects(tag) ? [{ kind: "tag", tag }] : [];
      }),
      ...this.#all<Named>("consumers", run.id)
        .filter(isLeft)
        .map(({ name }): KeepReason => ({ kind: "read", by: name })),
      ...this.#all<Named>("parents", run.sequence)
        .filter(isLeft)
        .map(({ name }): KeepReason => ({ kind: "parent", run: name })),
      ...this.#all<Named>("children", run.sequence)
        .filter(isLeft)
        .map(({ name }): KeepReason => ({ kind: "child", run: name })),
    ];
  }

  /** Runs that a run keeps by being there. */
  neighbours(sequence: RunSequence): readonly RunSequence[] {
    return (["producers", "parents", "children"] as const).flatMap((which) =>
      this.#all<Named>(which, sequence).map((row) => row.sequence as RunSequence),
    );
  }

  facts(sequence: RunSequence): Candidate | undefined {
    const [row] = this.#all<RunFacts>("run", sequence);
    return row === undefined ? undefined : this.#judged(row);
  }

  #named(
    { runs, withLost }: RunSelection & { readonly kind: "runs" },
    candidates: Map<RunSequence, Candidate>,
    unfinished: Candidate[],
  ): void {
    for (const sequence of new Set(runs)) {
      const run = this.facts(sequence);
      if (run === undefined) continue;
      if (isUnfinished(run.status) || (run.status === "lost" && !withLost)) unfinished.push(run);
      else candidates.set(sequence, run);
    }
  }

  async #selected(policy: RunSelection & { readonly kind: "policy" }, candidates: Map<RunSequence, Candidate>) {
    const { statuses, endedBefore, keepLast = 0, holds } = policy;
    const flows = policy.flow === undefined ? null : JSON.stringify(flowIds(this.#statements, policy.flow));
    const seen = new Map<number, number>();
    for (let before = Number.MAX_SAFE_INTEGER; ; ) {
      const page = this.#all<RunFacts>("page", { before, statuses: JSON.stringify(statuses), flows });
      for (const row of page) {
        const run = this.#judged(row);
        if (isUnfinished(run.status) || !statuses.includes(run.status)) continue;
        if (holds !== undefined && !this.#tags(run.sequence).some(holds)) continue;
        const newer = seen.get(run.flow) ?? 0;
        seen.set(run.flow, newer + 1);
        if (newer < keepLast || (endedBefore !== undefined && run.endedAt >= endedBefore)) continue;
        candidates.set(run.sequence, run);
      }
      if (page.length < PAGE) return;
      before = readPlace(page.at(-1)!.sequence, "run.sequence");
      await nextTurn();
    }
  }

  /** Takes out of `going` what something keeps, and what those keep in turn. Answers what was taken out. */
  async #dropKept(
    going: Map<RunSequence, unknown>,
    candidates: ReadonlyMap<RunSequence, Candidate>,
    doubt: (sequence: RunSequence) => boolean,
    protects: TagRule,
  ): Promise<readonly Candidate[]> {
    const dropped: Candidate[] = [];
    const drop = (sequence: RunSequence): void => {
      if (!going.delete(sequence)) return;
      dropped.push(candidates.get(sequence)!);
    };
    let looked = 0;
    for (const run of candidates.values()) {
      // Digests are computed for what would go alone: what is kept is asked about at each collection.
      if (this.reasons(run, candidates, protects).length > 0 || doubt(run.sequence)) drop(run.sequence);
      if (++looked % PAGE === 0) await nextTurn();
    }
    for (let next = 0; next < dropped.length; next++) {
      for (const neighbour of this.neighbours(dropped[next]!.sequence)) drop(neighbour);
      if (next % PAGE === 0) await nextTurn();
    }
    return dropped;
  }

  #explain(
    run: Candidate,
    going: RunChoice["going"],
    unfit: ReadonlyMap<RunSequence, string>,
    protects: TagRule,
  ): KeptRun {
    const why = unfit.get(run.sequence);
    const because: readonly KeepReason[] = [
      ...(why === undefined ? [] : [{ kind: "unfit", why } as const]),
      ...(isUnfinished(run.status) || run.status === "lost"
        ? [{ kind: "unfinished", status: run.status } as const]
        : []),
      ...this.reasons(run, going, protects),
    ];
    const [row] = this.#all<RunFacts>("run", run.sequence);
    return { run: row?.name ?? "", runId: run.id, because: because.slice(0, MAX_REASONS) };
  }

  /** Lost runs are stored as running: nobody was left to write it. */
  #judged(row: RunFacts): Candidate {
    const execution = this.#statements.get(currentExecution, { run: row.sequence, number: row.execution });
    const isLost =
      row.status === "running" &&
      this.#here !== undefined &&
      (execution === undefined ||
        livenessOf(
          { runner: runnerOf(execution.runner), heartbeatAt: new Date(execution.heartbeat_at) },
          this.#here,
        ) === "lost");
    return {
      sequence: row.sequence as RunSequence,
      id: row.id as RunId,
      flow: row.flow,
      status: isLost ? "lost" : row.status,
      execution: row.execution,
      endedAt: row.finished_at ?? execution?.heartbeat_at ?? row.created_at,
    };
  }

  #tags(sequence: RunSequence): readonly string[] {
    return this.#all<{ readonly tag: string }>("tags", sequence).map(({ tag }) => tag);
  }

  #all<Row>(name: keyof typeof text, args: number | string | object): readonly Row[] {
    let statement = this.#prepared.get(name);
    if (statement === undefined) {
      statement = this.#db.prepare(text[name]);
      this.#prepared.set(name, statement);
    }
    return statement.all(args) as Row[];
  }
}

/** A connection that prepares each text once: thousands of runs are asked the same questions. */
function keepingStatements(db: Connection): Connection {
  const kept = new Map<string, ReturnType<Connection["prepare"]>>();
  const prepare = (text: string): ReturnType<Connection["prepare"]> => {
    const statement = kept.get(text) ?? db.prepare(text);
    kept.set(text, statement);
    return statement;
  };
  return Object.assign(Object.create(db) as Connection, { prepare });
}

/** Whom a record names as the runner; where it cannot be read, nobody: then the heartbeat alone tells whether it lives. */
export function runnerOf(text: string): RunnerIdentity {
  try {
    return readColumn("execution.runner", text);
  } catch (error) {
    if (!isFlowError(error, "FLOW_METADATA_CORRUPT")) throw error;
    return { host: "", pid: 0 };
  }
}

function isUnfinished(status: RunStatus): boolean {
  return status === "queued" || status === "running";
}

/** Others of this process have their turn between two pages. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
