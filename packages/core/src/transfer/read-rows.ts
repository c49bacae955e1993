/** Lines of a file that was checked, as the rows that a store takes over. */
import type { ExecutionRow } from "../metadata/execution.ts";
import type { ImportedFacts, ImportedRow, ImportedRun, RunImport } from "../metadata/imported-run.ts";
import type { NewRunValue, NewUpstream } from "../metadata/metadata-store.ts";
import type { ArchiveFile } from "./archive-file.ts";
import { type CheckedArchive, hashedContent } from "./check-archive.ts";
import { BadContent, parseLine, splitLines } from "./json-lines.ts";
import { type ManifestRun, originLine, type RecordLine, type RunLine, recordLine, signatureLine } from "./lines.ts";
import type { FileRun } from "./read-manifest.ts";
import { badFile } from "./transfer-error.ts";

/** A run of a file as it goes into a store; its rows are read from the file each time they are asked for. */
export function importedRun(
  { file, tags }: CheckedArchive,
  run: FileRun,
  by: Pick<RunImport, "at" | "actor" | "host"> & { readonly withTags: boolean },
): ImportedRun {
  const line = firstLine(file, run);
  const history = tags.get(run.id)!;
  const { at, actor, host } = by;
  const { store, run: alias, references } = run;
  return {
    ...runFacts(line, run, { store, run: alias, at, actor, host, references, tagLogs: history.logs }),
    tags: by.withTags ? history.held : [],
    rows: () => rowsOf(file, run),
  };
}

/** What the first line of a run says, as a store takes it over. */
export function runFacts(
  line: RunLine,
  { callInputs }: Pick<ManifestRun, "callInputs">,
  imported: RunImport,
): ImportedFacts {
  return {
    ...without(line, "kind", "createdAt", "startedAt", "finishedAt", "tasks", "executions"),
    flow: line.flow,
    createdAt: new Date(line.createdAt),
    ...(line.startedAt === undefined ? {} : { startedAt: new Date(line.startedAt) }),
    ...(line.finishedAt === undefined ? {} : { finishedAt: new Date(line.finishedAt) }),
    taskCount: line.tasks,
    execution: line.executions,
    ...(callInputs === undefined ? {} : { callInputs }),
    imported,
  } as ImportedFacts;
}

/** The fields of a line but for some. */
function without<T extends object, K extends keyof T>(line: T, ...names: readonly K[]): Omit<T, K> {
  const rest = { ...line };
  for (const name of names) delete rest[name];
  return rest;
}

function firstLine(file: ArchiveFile, run: FileRun): RunLine {
  for (const line of splitLines(file.pieces(run.records.contentAt, run.records.sizeBytes))) {
    const parsed = parseLine(line, recordLine);
    if (parsed.kind === "run") return parsed;
    break;
  }
  throw badFile(file.name, "it was changed while it was read");
}

/** The content is hashed once more: what is taken over is what was checked, whatever happens to the file meanwhile. */
function* rowsOf(file: ArchiveFile, run: FileRun): Generator<ImportedRow, void> {
  try {
    for (const line of splitLines(hashedContent(file, run.records))) {
      const row = toRow(parseLine(line, recordLine));
      if (row !== undefined) yield row;
    }
    for (const line of run.origins === undefined ? [] : splitLines(hashedContent(file, run.origins))) {
      const { task, ...origin } = parseLine(line, originLine);
      yield { kind: "origin", task, origin };
    }
    for (const line of run.signatures === undefined ? [] : splitLines(hashedContent(file, run.signatures)))
      yield { kind: "signature", signature: parseLine(line, signatureLine) };
  } catch (error) {
    if (!(error instanceof BadContent)) throw error;
    throw badFile(file.name, `it was changed while it was read: ${error.message}`, error);
  }
}

/** A line as a row; undefined for that of the run itself. */
export function toRow(line: RecordLine): ImportedRow | undefined {
  switch (line.kind) {
    case "run":
      return undefined;
    case "execution": {
      const { kind, startedAt, heartbeatAt, endedAt, ...rest } = line;
      const execution = {
        ...rest,
        startedAt: new Date(startedAt),
        heartbeatAt: new Date(heartbeatAt),
        ...(endedAt === undefined ? {} : { endedAt: new Date(endedAt) }),
      } as Omit<ExecutionRow, "run">;
      return { kind, execution };
    }
    case "value": {
      const { kind, as, ...value } = line;
      return { kind, value: { ...value, kind: as } satisfies NewRunValue };
    }
    case "upstream": {
      const { kind, resolvedAt, ...rest } = line;
      return { kind, upstream: { ...rest, resolvedAt: new Date(resolvedAt) } as NewUpstream };
    }
    case "task": {
      const { kind, task: place, startedAt, finishedAt, ...rest } = line;
      const task = {
        ...rest,
        place,
        startedAt: new Date(startedAt),
        ...(finishedAt === undefined ? {} : { finishedAt: new Date(finishedAt) }),
      };
      return { kind, task: task as (ImportedRow & { kind: "task" })["task"] };
    }
    case "artifact": {
      const { kind, task, gone, ...artifact } = line;
      const since = gone === undefined ? {} : { gone: { reason: gone.reason, at: new Date(gone.at) } };
      return { kind, task, artifact: { ...artifact, ...since } };
    }
    case "page": {
      const { kind, task, ...page } = line;
      return { kind, task, page };
    }
    case "read": {
      const { kind, task, upstream, ...read } = line;
      return { kind, task, read: { ...read, ...(upstream === undefined ? {} : { upstream }) } };
    }
    case "metric": {
      const { kind, task, name, first, values, steps } = line;
      const series = {
        name,
        values: Float64Array.from(values, Number),
        ...(steps === undefined ? {} : { steps: Float64Array.from(steps, (step) => step ?? Number.NaN) }),
      };
      return { kind, task, first, series };
    }
    case "log": {
      const { kind, task, at, ...chunk } = line;
      return { kind, task, chunk: { ...chunk, at: new Date(at) } };
    }
  }
}
