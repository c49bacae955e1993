/**
 * What a step sees in an upstream field: facts of the producer's run, its artifacts (read on first use, private to the
 * task) and its own upstreams in turn. Each read is recorded with the digest that was read: that is the lineage edge.
 */
import { FlowError } from "../../errors/flow-error.ts";
import { consumedArtifactProblem, upstreamClassOf } from "../../flow/check-consumed-artifact.ts";
import { flagOf } from "../../flow/flag-names.ts";
import type { FlowClass } from "../../flow/public-types.ts";
import { isName } from "../../ids/names.ts";
import type { RunId } from "../../ids/run-id.ts";
import { runName } from "../../lineage/run-name.ts";
import type { ArtifactRow, RunRow, UpstreamRead, UpstreamRow } from "../../metadata/metadata-store.ts";
import { LazySource, lazyRecord } from "./lazy-record.ts";
import type { ReadWatch } from "./read-watch.ts";
import { missingArtifact, type WorkerRun } from "./worker-run.ts";

export type RecordRead = (read: Omit<UpstreamRead, "task">) => void;

/** How an upstream is read: who is told, and what its consumer expects of it. */
export interface UpstreamReading {
  readonly record: RecordRead;
  /** Told of everything that is looked at, also where no artifact is read. */
  readonly watch?: ReadWatch;
  /** The producer's class, as the consumer has it: what it declares of artifacts is checked when they are read. */
  readonly producerClass?: FlowClass;
}

/**
 * @param field how the step reaches it: `model`, or `model.upstreams.source` further up
 * @returns the value of the field; undefined for an optional upstream that matched nothing
 */
export function upstreamValue(run: WorkerRun, row: UpstreamRow, field: string, reading: UpstreamReading): unknown {
  const { record, watch, producerClass } = reading;
  if (row.producer === undefined) return undefined;
  const producer = producerOf(run, row.producer, field);
  const tables = {
    end: producer.endTask === undefined ? new Map<string, ArtifactRow>() : run.visible(producer.endTask),
    values: new Map(run.reader.runValues(producer.sequence).map((value) => [value.name, value])),
  };
  const name = runName(producer);
  const find = (key: string): ArtifactRow | undefined => tables.end.get(key) ?? tables.values.get(key);
  const names = (): string[] => [...new Set([...tables.values.keys(), ...tables.end.keys()])];
  const loaded = new Map<string, unknown>();
  return Object.freeze({
    run: runFacts(producer, watch && ((fact) => watch.read(`this.${field}.run.${fact}`))),
    data: calledRecord(
      `the artifacts of ${name}`,
      names,
      (key) => {
        if (loaded.has(key)) return loaded.get(key);
        const found = find(key);
        if (found === undefined) {
          watch?.unknownRead("an artifact that its upstream does not have");
          throw missingArtifact(key, name, names());
        }
        record({ upstream: field, producer: producer.id, artifact: key, codec: found.codec, digest: found.digest });
        watch?.read(`this.${field}.data.${key}`);
        const value = run.loader.load(found, name);
        if (producerClass !== undefined) checkConsumed(run, { field, name, found, value, producer, producerClass });
        loaded.set(key, value);
        return value;
      },
      watch &&
        ((key) => {
          if (key === undefined) watch.read(`this.${field}.data.*`);
          else if (isName(key)) watch.read(`this.${field}.data.${key}?`);
        }),
    ),
    upstreams: lazyUpstreams(run, producer, { name, field, reading }),
  });
}

/**
 * Holds what was read to what the consumer's own copy of the producer's class declares. Equal bytes fit or do not fit
 * for all tasks of a run: each value is checked once in a worker, however many tasks of a foreach read it.
 */
function checkConsumed(
  run: WorkerRun,
  read: {
    readonly field: string;
    /** Of the producer's run. */
    readonly name: string;
    readonly found: ArtifactRow;
    readonly value: unknown;
    readonly producer: RunRow;
    readonly producerClass: FlowClass;
  },
): void {
  const { field, name, found, value, producer, producerClass } = read;
  const key = `${field} ${found.name} ${found.codec} ${found.digest}`;
  if (run.fittingReads.has(key)) return;
  const problem = consumedArtifactProblem(producerClass, found.name, value);
  if (problem === undefined) {
    run.fittingReads.add(key);
    return;
  }
  const upstream = field.split(".")[0]!;
  throw new FlowError("FLOW_RUNNER_ARTIFACT_MISMATCH", {
    message: `Cannot read "${found.name}" of ${name} in ${run.context.name}: it does not fit what ${producer.flow.name} declares in the code of this run: ${problem}`,
    hint: `Run ${producer.flow.name} again with the code as it is now, or choose another run with --${flagOf(upstream)}-run`,
    context: {
      run: run.context.id,
      producer: producer.id,
      upstream: field,
      artifact: found.name,
      digest: found.digest,
    },
  });
}

/** Facts of an upstream run. */
function runFacts(producer: RunRow, onRead: ((fact: string) => void) | undefined): object {
  const facts = upstreamFacts(producer);
  if (onRead === undefined) return Object.freeze(facts);
  const watched = Object.entries(facts).map(([name, value]) => {
    const get = (): unknown => {
      onRead(name);
      return value;
    };
    return [name, { get, enumerable: true }] as const;
  });
  return Object.freeze(Object.defineProperties({}, Object.fromEntries(watched)));
}

/** What a step can know of an upstream run besides its artifacts. */
export function upstreamFacts(producer: RunRow): Readonly<Record<string, unknown>> {
  return {
    id: producer.id,
    name: runName(producer),
    flow: `${producer.flow.project}/${producer.flow.name}`,
    tags: producer.tags,
    createdAt: producer.createdAt,
  };
}

function lazyUpstreams(
  run: WorkerRun,
  producer: RunRow,
  where: {
    readonly name: string;
    readonly field: string;
    readonly reading: UpstreamReading;
  },
): unknown {
  const { name, field, reading } = where;
  const { record, watch, producerClass } = reading;
  let rows: ReadonlyMap<string, UpstreamRow> | undefined;
  const all = (): ReadonlyMap<string, UpstreamRow> =>
    (rows ??= new Map(run.reader.upstreams(producer.sequence).map((row) => [row.name, row])));
  return calledRecord(
    `the upstreams of ${name}`,
    () => [...all().keys()],
    (key) => {
      const row = all().get(key);
      if (row === undefined) {
        watch?.unknownRead("an upstream that its upstream does not have");
        throw missingArtifact(key, `${name}'s upstreams`, all().keys());
      }
      watch?.read(`this.${field}.upstreams.${key}`);
      const further = producerClass === undefined ? undefined : upstreamClassOf(producerClass, key);
      return upstreamValue(run, row, `${field}.upstreams.${key}`, {
        record,
        ...(watch && { watch }),
        ...(further && { producerClass: further }),
      });
    },
    watch && (() => watch.unknownRead("the list of its upstream's upstreams")),
  );
}

function producerOf(run: WorkerRun, id: RunId, field: string): RunRow {
  const producer = run.reader.runById(id);
  if (producer === undefined) {
    throw new FlowError("FLOW_RUNNER_NO_PRODUCER", {
      message: `Cannot read the upstream "${field}": its run ${id} is not in this store`,
      hint: `Import that run, or choose another one with --${field}-run`,
      context: { upstream: field, runId: id },
    });
  }
  return producer;
}

/**
 * A read-only object whose properties are computed when they are read.
 *
 * @param onAsked told when someone asks whether a name is there, or (undefined) which names there are
 */
function calledRecord(
  what: string,
  names: () => readonly string[],
  read: (name: string) => unknown,
  onAsked?: (name: string | undefined) => void,
): object {
  return lazyRecord(
    new (class extends LazySource {
      readonly what = what;
      readonly names = names;
      readonly read = read;

      override asked(name?: string): void {
        onAsked?.(name);
      }
    })(),
  );
}
