/**
 * What a step sees in an upstream field: facts of the producer's run, its artifacts (read on first use, private to the
 * task) and its own upstreams in turn. Each read is recorded with the digest that was read: that is the lineage edge.
 */
import { inspect } from "node:util";
import { FlowError } from "../../errors/flow-error.ts";
import type { RunId } from "../../ids/run-id.ts";
import type { ArtifactRow, RunRow, UpstreamRead, UpstreamRow } from "../../metadata/metadata-store.ts";
import { missingArtifact, type WorkerRun } from "./worker-run.ts";

export type RecordRead = (read: Omit<UpstreamRead, "task">) => void;

/**
 * @param field how the step reaches it: `model`, or `model.upstreams.source` further up
 * @returns the value of the field; undefined for an optional upstream that matched nothing
 */
export function upstreamValue(run: WorkerRun, row: UpstreamRow, field: string, record: RecordRead): unknown {
  if (row.producer === undefined) return undefined;
  const producer = producerOf(run, row.producer, field);
  const tables = {
    end: producer.endTask === undefined ? new Map<string, ArtifactRow>() : run.visible(producer.endTask),
    values: new Map(run.reader.runValues(producer.sequence).map((value) => [value.name, value])),
  };
  const name = `${producer.flow.name}/${producer.number}`;
  const find = (key: string): ArtifactRow | undefined => tables.end.get(key) ?? tables.values.get(key);
  const names = (): string[] => [...new Set([...tables.values.keys(), ...tables.end.keys()])];
  const loaded = new Map<string, unknown>();
  return Object.freeze({
    run: Object.freeze({
      id: producer.id,
      name,
      flow: `${producer.flow.project}/${producer.flow.name}`,
      tags: producer.tags,
      createdAt: producer.createdAt,
    }),
    data: lazyRecord(`the artifacts of ${name}`, names, (key) => {
      if (loaded.has(key)) return loaded.get(key);
      const found = find(key);
      if (found === undefined) throw missingArtifact(key, name, names());
      record({ upstream: field, producer: producer.id, artifact: key, codec: found.codec, digest: found.digest });
      const value = run.loader.load(found, name);
      loaded.set(key, value);
      return value;
    }),
    upstreams: lazyUpstreams(run, producer, name, field, record),
  });
}

function lazyUpstreams(run: WorkerRun, producer: RunRow, name: string, field: string, record: RecordRead): unknown {
  let rows: ReadonlyMap<string, UpstreamRow> | undefined;
  const all = (): ReadonlyMap<string, UpstreamRow> =>
    (rows ??= new Map(run.reader.upstreams(producer.sequence).map((row) => [row.name, row])));
  return lazyRecord(
    `the upstreams of ${name}`,
    () => [...all().keys()],
    (key) => {
      const row = all().get(key);
      if (row === undefined) throw missingArtifact(key, `${name}'s upstreams`, all().keys());
      return upstreamValue(run, row, `${field}.upstreams.${key}`, record);
    },
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

/** A read-only object whose properties are computed when they are read; `in`, `Object.keys` and spreading work. */
export function lazyRecord(what: string, names: () => readonly string[], read: (name: string) => unknown): object {
  // Printing a proxy shows its target, so the target says what it stands for.
  const target = Object.create(null, {
    [inspect.custom]: { value: () => `[${what}: ${names().join(", ")}]`, configurable: true },
  }) as object;
  return new Proxy(target, {
    get: (_, key) => (typeof key === "symbol" || key === "then" || key === "toJSON" ? undefined : read(key)),
    has: (_, key) => typeof key === "string" && names().includes(key),
    ownKeys: () => [...names()],
    getOwnPropertyDescriptor: (_, key) =>
      typeof key === "string" && names().includes(key)
        ? { enumerable: true, configurable: true, get: () => read(key) }
        : undefined,
    set: (_, key) => {
      throw new FlowError("FLOW_RUNNER_READ_ONLY", {
        message: `Cannot set "${String(key)}" of ${what}: they are kept as they are`,
        hint: "Assign to a field of this flow instead",
      });
    },
    deleteProperty: (_, key) => {
      throw new FlowError("FLOW_RUNNER_READ_ONLY", {
        message: `Cannot delete "${String(key)}" of ${what}: they are kept as they are`,
      });
    },
  });
}
