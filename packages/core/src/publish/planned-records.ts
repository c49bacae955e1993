/** The records of a run as they will be when its success is recorded: its manifest is written before that. */
import type { PlannedEnd } from "../metadata/bucket-records.ts";
import type { FinishRun, MetadataReader, RunRow } from "../metadata/metadata-store.ts";

/** The run itself, as it will be. */
export function plannedRun(run: RunRow, { status, finishedAt, endTask }: FinishRun): RunRow {
  return { ...run, status, finishedAt, ...(endTask === undefined ? {} : { endTask }) };
}

/** Records that show one run as it will be, and all else as it is. */
export function plannedRecords(metadata: MetadataReader, finish: FinishRun, planned: PlannedEnd): MetadataReader {
  const { run, execution, status, finishedAt } = finish;
  const shown: Partial<MetadataReader> = {
    async executions(of) {
      const rows = await metadata.executions(of);
      if (of !== run) return rows;
      const ended = { status, endedAt: finishedAt, heartbeatAt: finishedAt };
      return rows.map((row) => (row.number === execution ? { ...row, ...ended } : row));
    },
    async recordDigests(of) {
      const digests = await metadata.recordDigests(of);
      return of === run ? { ...digests, end: planned.digest } : digests;
    },
    async ownArtifacts(task) {
      const rows = await metadata.ownArtifacts(task);
      const names = planned.gone.get(task);
      if (names === undefined) return rows;
      const gone = { reason: "transient", at: finishedAt } as const;
      return rows.map((row) => (names.has(row.name) ? { ...row, gone } : row));
    },
  };
  return new Proxy(metadata, {
    get(target, name) {
      if (name in shown) return Reflect.get(shown, name);
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
