/**
 * What a step sees in an upstream field: facts of the producer's run, its artifacts (read on first use, private to the
 * task) and its own upstreams in turn. Each read is recorded with the digest that was read: that is the lineage edge.
 */
import { FlowError } from "../../errors/flow-error.ts";
import { isName } from "../../ids/names.ts";
import type { RunId } from "../../ids/run-id.ts";
import { runName } from "../../lineage/run-name.ts";
import type { ArtifactRow, RunRow, UpstreamRead, UpstreamRow } from "../../metadata/metadata-store.ts";
import { LazySource, lazyRecord } from "./lazy-record.ts";
import type { ReadWatch } from "./read-watch.ts";
import { missingArtifact, type WorkerRun } from "./worker-run.ts";

export type RecordRead = (read: Omit<UpstreamRead, "task">) => void;

/**
 * @param field how the step reaches it: `model`, or `model.upstreams.source` further up
 * @param watch is told of everything that is looked at, also where no artifact is read
 * @returns the value of the field; undefined for an optional upstream that matched nothing
 */
export function upstreamValue(
  run: WorkerRun,
  row: UpstreamRow,
  field: string,
  record: RecordRead,
  watch?: ReadWatch,
): unknown {
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
        loaded.set(key, value);
        return value;
      },
      watch &&
        ((key) => {
          if (key === undefined) watch.read(`this.${field}.data.*`);
          else if (isName(key)) watch.read(`this.${field}.data.${key}?`);
        }),
    ),
    upstreams: lazyUpstreams(run, producer, { name, field, record, ...(watch && { watch }) }),
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
    readonly record: RecordRead;
    readonly watch?: ReadWatch;
  },
): unknown {
  const { name, field, record, watch } = where;
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
      return upstreamValue(run, row, `${field}.upstreams.${key}`, record, watch);
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
