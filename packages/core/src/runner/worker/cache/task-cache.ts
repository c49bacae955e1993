/**
 * One task and the step cache: finds an earlier task that stands for it, or watches what it reads and offers its outcome.
 *
 * A key covers what the step is (`cache-basis.ts`), what the task is given (its item, the sources of its inputs) and the
 * identity of each thing that it reads. What it will read is not known before it runs; but earlier tasks of the same step
 * have listed what they read, mostly the same few names. So for each list the identities are looked up as they are now, and
 * a task that read just these things, and saw just these, stands for this one: with the same code and the same answers to
 * all it asks, it would ask the same and do the same. See docs/formats/cache-key.md.
 */
import type { Digest } from "../../../artifact/artifact.ts";
import type { ArtifactStore } from "../../../artifact/artifact-store.ts";
import type { BoundFlow } from "../../../flow/bind-flow.ts";
import type { FlowClass } from "../../../flow/public-types.ts";
import type { CacheEntry, CacheOffer } from "../../../metadata/replay.ts";
import { CACHE_FORM, type CachePlan, textDigest } from "../../cache-basis.ts";
import type { BatchTask, StepContract, TaskYield } from "../../protocol.ts";
import type { RecordRead } from "../upstream-value.ts";
import type { ArtifactTable } from "../visible-artifacts.ts";
import type { WorkerRun } from "../worker-run.ts";
import { ReadLog } from "./read-log.ts";
import { parseReadName } from "./read-names.ts";
import { seesIndex } from "./sees-index.ts";
import { TaskFacts } from "./task-facts.ts";

/** Lists of what tasks of one step read that are tried, the newest; several workers may have written the same one. */
const MOST_LISTS = 16;
const MOST_LIST_ROWS = 64;
/** Tasks under one key that are looked at, the newest: all are as good, and the first whose bytes are there is taken. */
const MOST_ENTRIES = 16;

/** What tasks of earlier runs have read, by the key of a step's lists; looked up once in the life of a worker's run. */
const listsOfRun = new WeakMap<WorkerRun, Map<Digest, StepLists>>();

interface StepLists {
  readonly lists: readonly (readonly string[])[];
  /** All that are known, with those of this run: what is known is not written again. */
  readonly known: Set<string>;
}

export interface TaskCacheOptions {
  readonly plan: Extract<CachePlan, { readonly kind: "keyed" }>;
  readonly run: WorkerRun;
  readonly step: StepContract;
  readonly task: BatchTask;
  readonly flowClass: FlowClass;
  readonly inherited: ArtifactTable;
  readonly artifacts: Pick<ArtifactStore, "holdsSync">;
}

/** The outcome of an earlier task, as this task's own. */
export type CacheHit = TaskYield & {
  readonly takenFrom: { readonly task: CacheEntry["task"]; readonly name: string };
};

/** What becomes of a task's outcome: it is offered, or it is said why not. */
export type Offered = { readonly cache: CacheOffer } | { readonly uncached: string };

export class TaskCache {
  readonly log: ReadLog;
  readonly #options: TaskCacheOptions;
  readonly #facts: TaskFacts;
  readonly #given: readonly string[];

  constructor(options: TaskCacheOptions) {
    this.#options = options;
    this.#facts = new TaskFacts(options);
    this.log = new ReadLog(this.#facts);
    this.#given = givenOf(options);
  }

  /**
   * @param record takes the reads of upstream artifacts, which are this task's as well
   * @param valueReads takes the names of the run's values and upstreams that the step would have read
   */
  find(record: RecordRead, valueReads: Set<string>): CacheHit | undefined {
    const { run, artifacts, plan } = this.#options;
    if (plan.lookup === "none") return undefined;
    for (const names of this.#lists().lists) {
      const reads = this.#identify(names);
      if (!("reads" in reads)) continue;
      const query = { exceptRun: run.context.sequence, limit: MOST_ENTRIES };
      for (const entry of run.reader.cacheEntries(this.#key(reads.reads), query)) {
        if (!run.reader.isAsLeft(entry.task)) continue;
        const blobs = run.reader.blobsOfTask(entry.task);
        if (!blobs.every((blob) => blob.isInline || artifacts.holdsSync(blob))) continue;
        this.#recordReads(names, record, valueReads);
        return hitOf(entry);
      }
    }
    return undefined;
  }

  /** What the outcome of the task is offered under, now that it has ended. */
  offer(bound: Pick<BoundFlow, "isSet">, left: TaskYield): Offered {
    const { log } = this;
    const own = new Set(left.artifacts.map(({ name }) => name));
    // Set to what was there already, emptied, or given away as items: what is recorded depends on what was there.
    for (const name of log.setFields) if (!own.has(name) || !bound.isSet(name)) log.read(`this.${name}`);
    if (log.unknown !== undefined) return { uncached: log.unknown };
    const names = log.names(this.#facts.inputCount);
    const reads = this.#identify(names);
    if (!("reads" in reads)) return { uncached: `it read ${reads.unknown}` };
    const { known } = this.#lists();
    const list = JSON.stringify(names);
    const isKnown = known.has(list);
    known.add(list);
    const key = this.#key(reads.reads);
    return { cache: isKnown ? { key, reads: {} } : { key, reads: reads.reads, listing: this.#listing } };
  }

  /** `this.mergeArtifacts` depends on what the join has set before. */
  merged(bound: Pick<BoundFlow, "isSet">, options: object): void {
    const set = this.log.touchedFields.filter((name) => bound.isSet(name)).sort();
    this.log.read(`inputs.merge ${JSON.stringify({ ...options, set })}`);
  }

  get #listing(): Digest {
    return textDigest(`${CACHE_FORM}\nlists\nbasis ${this.#options.plan.basis}`);
  }

  #key(reads: Readonly<Record<string, string>>): Digest {
    const lines = Object.entries(reads).map(([name, identity]) => `read ${name} = ${identity}`);
    return textDigest([CACHE_FORM, `basis ${this.#options.plan.basis}`, ...this.#given, ...lines].join("\n"));
  }

  /** Identities in the order of the names, which is a fixed one; or the first name that has none. */
  #identify(
    names: readonly string[],
  ): { readonly reads: Readonly<Record<string, string>> } | { readonly unknown: string } {
    const reads: Record<string, string> = {};
    for (const name of names) {
      const identity = this.#facts.identityOf(name);
      if (identity === undefined) return { unknown: name };
      reads[name] = identity;
    }
    return { reads };
  }

  #lists(): StepLists {
    const { run } = this.#options;
    const ofRun = listsOfRun.get(run) ?? new Map<Digest, StepLists>();
    listsOfRun.set(run, ofRun);
    const key = this.#listing;
    let lists = ofRun.get(key);
    if (lists === undefined) {
      const query = { exceptRun: run.context.sequence, limit: MOST_LIST_ROWS };
      const found = run.reader.cacheEntries(key, query).map(({ reads }) => JSON.stringify(Object.keys(reads)));
      const known = new Set(found);
      lists = { lists: [...known].slice(0, MOST_LISTS).map((list) => JSON.parse(list) as readonly string[]), known };
      ofRun.set(key, lists);
    }
    return lists;
  }

  /** What the step would have read, had it run: lineage and resume build on it. */
  #recordReads(names: readonly string[], record: RecordRead, valueReads: Set<string>): void {
    const { run } = this.#options;
    for (const text of names) {
      const name = parseReadName(text);
      if (name?.kind === "field" && (run.values.has(name.name) || run.upstreams.has(name.name)))
        valueReads.add(name.name);
      if (name?.kind !== "upstream-data") continue;
      const producer = this.#facts.producerAt(name.path)!;
      const { codec, digest } = this.#facts.upstreamArtifact(name.path, name.name)!;
      record({ upstream: name.path.join(".upstreams."), producer: producer.id, artifact: name.name, codec, digest });
    }
  }
}

/** The cache of a task, if its step takes part; what keeps it out otherwise. */
export function taskCache(
  plan: CachePlan | undefined,
  options: Omit<TaskCacheOptions, "plan">,
): TaskCache | { readonly uncached: string } | undefined {
  if (plan === undefined || options.task.fallback !== undefined) return undefined;
  return plan.kind === "never" ? { uncached: plan.why } : new TaskCache({ ...options, plan });
}

/** What the step gets without asking for it. */
function givenOf({ run, step, task, flowClass }: TaskCacheOptions): readonly string[] {
  if (task.inputs !== undefined) {
    const sources: [string, number][] = [];
    for (const { from } of task.inputs) {
      const last = sources.at(-1);
      if (last?.[0] === from) last[1]++;
      else sources.push([from, 1]);
    }
    // `inputs.maybe("x")` gives undefined for a step that was not taken, and refuses a name that is none.
    const declared = `declared ${JSON.stringify(step.sources)}`;
    return [declared, `sources ${JSON.stringify(sources)}`, `before ${task.before !== undefined}`];
  }
  if (task.item === undefined) return [];
  const { codec, digest } = run.itemIdentity(task, task.item, step);
  const item = `item ${codec} ${digest}`;
  const method = (flowClass.prototype as unknown as Readonly<Record<string, object>>)[step.name]!;
  return seesIndex(method) ? [item, `index ${task.item.index}`] : [item];
}

function hitOf({ task, at, fanOut, choice }: CacheEntry): CacheHit {
  const run = `${at.flow}/${at.number}`;
  return {
    artifacts: [],
    pages: [],
    ...(fanOut === undefined ? {} : { fanOut }),
    ...(choice === undefined ? {} : { choice }),
    takenFrom: { task, name: at.path === "" ? `${run}/${at.step}` : `${run}/${at.step}/${at.path}` },
  };
}
