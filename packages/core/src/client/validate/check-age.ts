import type { FlowDefinition } from "../../flow/definition.ts";
import type { RunId } from "../../ids/run-id.ts";
import { runName } from "../../lineage/run-name.ts";
import type { RunRow, UpstreamRow } from "../../metadata/metadata-store.ts";
import { formatDuration, parseDurationMs } from "../../util/duration.ts";
import type { CheckSink } from "./report.ts";

export interface AgeLimits {
  /** Of the run and of everything that it was made from, in milliseconds. */
  readonly maxAgeMs?: number;
  /** Whether being older than an upstream declares is a failure, and no warning. */
  readonly failsWhenOld: boolean;
  readonly now: Date;
}

/**
 * V12: what a run was made from is no older today than it may be: as its upstreams declare (`maxAge`), and as was asked for.
 * A matter of currency: nothing is wrong with what was done.
 */
export function checkAge(
  run: RunRow,
  edges: readonly UpstreamRow[],
  producers: ReadonlyMap<RunId, RunRow>,
  definition: FlowDefinition | undefined,
  { maxAgeMs, failsWhenOld, now }: AgeLimits,
  sink: CheckSink,
): void {
  const judge = (of: RunRow, limitMs: number, what: string, upstream?: string): void => {
    // What was asked for by hand is meant.
    const old = failsWhenOld || limitMs === maxAgeMs ? "fail" : "warn";
    const ageMs = now.getTime() - of.createdAt.getTime();
    const about = upstream === undefined ? {} : { upstream };
    const evidence = `${what} is ${formatDuration(Math.max(0, ageMs))} old, the limit is ${formatDuration(limitMs)}`;
    sink.add("V12", ageMs > limitMs ? old : "pass", evidence, about);
  };
  if (maxAgeMs !== undefined) judge(run, maxAgeMs, runName(run));
  for (const edge of edges) {
    const producer = edge.producer === undefined ? undefined : producers.get(edge.producer);
    if (producer === undefined) continue;
    const declared = definition?.upstreams.find(({ name }) => name === edge.name)?.maxAge;
    const limits = [
      ...(declared === undefined ? [] : [parseDurationMs(declared) ?? Number.POSITIVE_INFINITY]),
      ...(maxAgeMs === undefined ? [] : [maxAgeMs]),
    ];
    if (limits.length > 0)
      judge(
        producer,
        Math.min(...limits),
        `${runName(producer)}, which ${runName(run)} read from as "${edge.name}",`,
        edge.name,
      );
  }
}
