import type { ArtifactStore } from "../../artifact/artifact-store.ts";
import { decodeValue } from "../../artifact/value-codec.ts";
import { isFlowError } from "../../errors/flow-error.ts";
import { quoteAll } from "../../lineage/near-misses.ts";
import { runName } from "../../lineage/run-name.ts";
import type { ArtifactRow, MetadataReader, RunRow, TaskSequence, UpstreamRead } from "../../metadata/metadata-store.ts";
import type { CheckSink } from "./report.ts";
import {
  type ColumnKind,
  type TableColumn,
  tableColumns,
  type WantedColumn,
  type WantedColumns,
  wantedColumns,
} from "./table-columns.ts";

/** Larger values are not decoded to be looked at: a table of so many bytes takes some seconds. */
const MAX_BYTES = 256 * 1024 ** 2;
/** Classes that say which columns they take stand at the beginning of what is stored of them. */
const MARKS = ["millrace.StoredModel@", "millrace.FeatureEngineer@"];
const HEAD_BYTES = 64;
/** Tasks of a foreach that are looked at; the others mostly read the same. */
const MAX_TASKS = 1_000;
/** Names that one line of evidence spells out. */
const MAX_NAMES = 10;
const CALLED: Readonly<Record<ColumnKind, string>> = {
  number: "numbers",
  category: "categories",
  boolean: "booleans",
  mixed: "values of several kinds",
};

interface Stores {
  readonly metadata: MetadataReader;
  readonly artifacts: Pick<ArtifactStore, "pieces">;
}

interface Judged {
  readonly model: string;
  readonly table: string;
  readonly wants: WantedColumns;
  readonly has: ReadonlyMap<string, TableColumn>;
  /** Whether the task had the table before it; one that it left itself may be a result, and not what went in. */
  readonly isRead: boolean;
}

/** An artifact, and what it is called in evidence. */
interface Named {
  readonly artifact: Pick<ArtifactRow, "name" | "codec" | "digest">;
  readonly what: string;
}

/**
 * V09: the tables that a task had before it, when it read a model that says which columns it takes, have these columns: none is
 * missing, each is of its kind, and categories are those that the model has learnt.
 *
 * Which table went into the model nobody records. Of what the task read or started from, and, where nothing of that has one of the
 * model's columns, of what it left, the table that shares most columns with the model is looked at.
 */
export async function checkInputs(stores: Stores, run: RunRow, isStrict: boolean, sink: CheckSink): Promise<void> {
  await new InputChecker(stores, run, isStrict, sink).check();
}

class InputChecker {
  readonly #stores: Stores;
  readonly #run: RunRow;
  readonly #isStrict: boolean;
  readonly #sink: CheckSink;
  readonly #known = new Map<string, Promise<unknown>>();
  readonly #judged = new Set<string>();

  constructor(stores: Stores, run: RunRow, isStrict: boolean, sink: CheckSink) {
    this.#stores = stores;
    this.#run = run;
    this.#isStrict = isStrict;
    this.#sink = sink;
  }

  async check(): Promise<void> {
    const byTask = Map.groupBy(await this.#stores.metadata.reads(this.#run.sequence), ({ task }) => task);
    for (const [task, reads] of [...byTask].slice(0, MAX_TASKS)) {
      for (const read of reads) {
        const wants = await this.#wants(read);
        if (wants !== undefined) await this.#checkModel(task, read, wants, reads);
      }
    }
  }

  async #checkModel(
    task: TaskSequence,
    read: UpstreamRead,
    wants: WantedColumns,
    reads: readonly UpstreamRead[],
  ): Promise<void> {
    const { metadata } = this.#stores;
    const inherits = (await metadata.task(task))?.inherits;
    const name = runName(this.#run);
    const ofRun = (artifact: ArtifactRow): Named => ({ artifact, what: `"${artifact.name}" of ${name}` });
    const before = [
      ...(await Promise.all(reads.filter((each) => each !== read).map((each) => this.#named(each)))),
      ...(inherits === undefined ? [] : await metadata.visibleArtifacts(inherits)).map(ofRun),
    ];
    const tables = await this.#closest(before, wants);
    const found =
      tables.length > 0 ? tables : await this.#closest((await metadata.ownArtifacts(task)).map(ofRun), wants);
    const model = await this.#named(read);
    for (const { artifact, what, has } of found) {
      const key = `${read.digest} ${artifact.digest}`;
      if (this.#judged.has(key)) continue;
      this.#judged.add(key);
      this.#judge({ model: model.what, table: what, wants, has, isRead: tables.length > 0 }, read);
    }
  }

  /** Of the tables that have a column of the model: those that have most of them. */
  async #closest(
    candidates: readonly Named[],
    { columns }: WantedColumns,
  ): Promise<readonly (Named & { readonly has: Columns })[]> {
    const tables: (Named & { readonly has: Columns; readonly shared: number })[] = [];
    for (const named of candidates) {
      const has = await this.#columns(named.artifact);
      const shared = has === undefined ? 0 : columns.filter(({ name }) => has.has(name)).length;
      if (has !== undefined && shared > 0) tables.push({ ...named, has, shared });
    }
    const most = Math.max(0, ...tables.map(({ shared }) => shared));
    return tables.filter(({ shared }) => shared === most);
  }

  #judge({ model, table, wants, has, isRead }: Judged, { upstream, artifact, digest }: UpstreamRead): void {
    const about = { ...(upstream === undefined ? {} : { upstream }), artifact, digest };
    let faults = 0;
    const add = (status: "fail" | "warn", evidence: string): void => {
      faults++;
      this.#sink.add("V09", this.#isStrict ? "fail" : status, evidence, about);
    };
    const missing = wants.columns.filter(({ name }) => !has.has(name)).map(({ name }) => name);
    if (missing.length > 0) add(isRead ? "fail" : "warn", `${table} lacks what ${model} takes: ${some(missing)}`);
    for (const column of wants.columns) {
      const found = has.get(column.name);
      if (found === undefined) continue;
      if (column.kind !== undefined && found.kind !== undefined && found.kind !== column.kind)
        add(
          "fail",
          `"${column.name}" of ${table} holds ${CALLED[found.kind]}, and ${model} takes ${CALLED[column.kind]}`,
        );
      else {
        const unknown = unknownLevels(column, found);
        if (unknown.length > 0)
          add("warn", `"${column.name}" of ${table} has categories that ${model} has not learnt: ${some(unknown)}`);
      }
    }
    const known = new Set(wants.columns.map(({ name }) => name));
    const extra = wants.picks ? [] : [...has.keys()].filter((name) => !known.has(name));
    if (extra.length > 0) add("warn", `${table} has more than ${model} takes: ${some(extra)}`);
    if (faults === 0)
      this.#sink.add("V09", "pass", `${table} has the ${wants.columns.length} columns that ${model} takes`, about);
  }

  async #named(read: UpstreamRead): Promise<Named> {
    const producer = await this.#stores.metadata.runById(read.producer);
    const of = producer === undefined ? read.producer : runName(producer);
    return { artifact: { ...read, name: read.artifact }, what: `"${read.artifact}" of ${of}` };
  }

  /** What a value takes, when it begins as a model does. */
  #wants(ref: Ref): Promise<WantedColumns | undefined> {
    return this.#once(`model ${ref.digest}`, async () => {
      const value = await this.#read(ref, (head) => MARKS.some((mark) => head.includes(mark)));
      return value === undefined ? undefined : wantedColumns(value.value);
    });
  }

  #columns(ref: Ref): Promise<Columns | undefined> {
    return this.#once(`table ${ref.digest}`, async () => {
      const value = await this.#read(ref, () => true);
      return value === undefined ? undefined : tableColumns(value.value);
    });
  }

  /** Each value is read once, however many tasks have it. */
  #once<T>(key: string, look: () => Promise<T>): Promise<T> {
    const known = (this.#known.get(key) as Promise<T> | undefined) ?? look();
    this.#known.set(key, known);
    return known;
  }

  /** A value, unless its beginning says that it is not wanted. */
  async #read(
    { codec, digest }: Ref,
    isWanted: (head: Buffer) => boolean,
  ): Promise<{ readonly value: unknown } | undefined> {
    const blob = codec === "cbor" ? await this.#stores.metadata.blob(digest) : undefined;
    if (blob === undefined || blob.sizeBytes > MAX_BYTES) return undefined;
    try {
      const pieces: Uint8Array[] = [];
      for await (const piece of this.#stores.artifacts.pieces({ codec, digest, sizeBytes: blob.sizeBytes }, blob)) {
        if (pieces.length === 0 && !isWanted(Buffer.from(piece.subarray(0, HEAD_BYTES)))) return undefined;
        pieces.push(Uint8Array.from(piece));
      }
      return { value: decodeValue(codec, Buffer.concat(pieces)) };
    } catch (error) {
      if (isFlowError(error)) return undefined; // Bytes that are missing or damaged are for V03.
      throw error;
    }
  }
}

type Ref = Pick<ArtifactRow, "codec" | "digest">;
type Columns = ReadonlyMap<string, TableColumn>;

function unknownLevels({ levels }: WantedColumn, found: TableColumn): readonly string[] {
  if (levels === undefined || found.levels === undefined) return [];
  const learnt = new Set(levels);
  return [...found.levels].filter((level) => !learnt.has(level)).sort();
}

function some(names: readonly string[]): string {
  const more = names.length - MAX_NAMES;
  return `${quoteAll(names.slice(0, MAX_NAMES))}${more > 0 ? ` and ${more} more` : ""}`;
}
