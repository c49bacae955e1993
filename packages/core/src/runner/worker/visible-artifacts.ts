/**
 * What tasks leave visible, of the tasks that one worker asks for. A thousand inputs of a join start from one task: what that
 * one left is read once, and each input costs what it has set itself.
 */
import type { ArtifactRow, LeftArtifacts, TaskReader, TaskSequence } from "../../metadata/metadata-store.ts";

export type ArtifactTable = ReadonlyMap<string, ArtifactRow>;

/** Tables that are kept, the last ones asked for: the inputs of a join are asked for one by one. */
const TABLES_KEPT = 256;

/** Tasks that are read one by one, up to one that is kept; what stands above is read in one statement. */
const MAX_STEPS = 16;

/** Of tasks that are asked for one after another, so many more are read at once in the end: a statement costs ten rows. */
const MAX_AHEAD = 127;

/** A name is looked for in at most so many tables. */
const MAX_DEPTH = 16;

/** The tasks that come next, at most so many. */
type Following = (count: number) => readonly TaskSequence[];

interface Table {
  readonly own: ArtifactTable;
  readonly parent: Table | undefined;
  readonly depth: number;
  /** All that is visible, by name; made when somebody asks for it. */
  all: ArtifactTable | undefined;
}

export class VisibleArtifacts {
  readonly #reader: Pick<TaskReader, "leftBy" | "visibleArtifacts">;
  readonly #tables = new Map<TaskSequence, Table>();
  /** What was read ahead. */
  #left: ReadonlyMap<TaskSequence, LeftArtifacts> = new Map();
  #ahead = 0;
  /** The first task that was not read ahead any more: who asks for it goes from one to the next. */
  #next: TaskSequence | undefined;

  constructor(reader: Pick<TaskReader, "leftBy" | "visibleArtifacts">) {
    this.#reader = reader;
  }

  /** Takes over what a task has left that ended here: whoever starts from it need not read it. */
  left({ task, inherits, artifacts }: LeftArtifacts): void {
    const parent = inherits === undefined ? undefined : this.#kept(inherits);
    if (inherits !== undefined && parent === undefined) return;
    const rows = artifacts.map(({ name, codec, digest, sizeBytes }) => ({ name, codec, digest, sizeBytes }));
    this.#keep(task, tableOf(byName(rows.sort((one, other) => (one.name < other.name ? -1 : 1))), parent));
  }

  /** All artifacts that a finished task leaves visible, by name. */
  of(task: TaskSequence): ArtifactTable {
    return allOf(this.#table(task));
  }

  /**
   * One of them, without making the list.
   *
   * @param following gives the tasks that come after it, at most so many, where they may be asked for next
   */
  find(task: TaskSequence, name: string, following?: Following): ArtifactRow | undefined {
    for (let table: Table | undefined = this.#table(task, following); table !== undefined; table = table.parent) {
      const row = table.own.get(name);
      if (row !== undefined) return row;
    }
    return undefined;
  }

  #table(task: TaskSequence, following?: Following): Table {
    const below: { readonly task: TaskSequence; readonly own: ArtifactTable }[] = [];
    let table: Table | undefined;
    for (let at: TaskSequence | undefined = task; at !== undefined; ) {
      table = this.#kept(at);
      if (table !== undefined) break;
      if (below.length === MAX_STEPS) {
        table = this.#keep(at, tableOf(byName(this.#reader.visibleArtifacts(at)), undefined));
        break;
      }
      const left = this.#leftBy(at, at === task ? following : undefined);
      below.push({ task: at, own: byName(left?.artifacts ?? []) });
      at = left?.inherits;
    }
    for (const { task: at, own } of below.reverse()) table = this.#keep(at, tableOf(own, table));
    return table!;
  }

  #leftBy(task: TaskSequence, following: Following | undefined): LeftArtifacts | undefined {
    const known = this.#left.get(task);
    if (known !== undefined) return known;
    if (following === undefined) return this.#reader.leftBy([task])[0];
    this.#ahead = task === this.#next ? Math.min(2 * this.#ahead + 1, MAX_AHEAD) : 0;
    const ahead = following(this.#ahead + 1);
    this.#next = ahead[this.#ahead];
    const read = this.#reader.leftBy([task, ...ahead.slice(0, this.#ahead)]);
    this.#left = new Map(read.map((left) => [left.task, left]));
    return this.#left.get(task);
  }

  #kept(task: TaskSequence): Table | undefined {
    const table = this.#tables.get(task);
    // What many start from is asked for again and again, and must not be the first to go.
    if (table !== undefined) this.#keep(task, table);
    return table;
  }

  #keep(task: TaskSequence, table: Table): Table {
    this.#tables.delete(task);
    if (this.#tables.size >= TABLES_KEPT) this.#tables.delete(this.#tables.keys().next().value!);
    this.#tables.set(task, table);
    return table;
  }
}

function byName(rows: readonly ArtifactRow[]): ArtifactTable {
  return new Map(rows.map((row) => [row.name, row]));
}

function tableOf(own: ArtifactTable, parent: Table | undefined): Table {
  if (parent !== undefined && own.size === 0) return parent;
  const table = { own, parent, depth: (parent?.depth ?? 0) + 1, all: parent === undefined ? own : undefined };
  if (table.depth <= MAX_DEPTH) return table;
  const all = allOf(table);
  return { own: all, parent: undefined, depth: 1, all };
}

/** In the order of the names, as one statement would give them. */
function allOf(table: Table): ArtifactTable {
  if (table.all !== undefined) return table.all;
  const rows = new Map(allOf(table.parent!));
  for (const [name, row] of table.own) rows.set(name, row);
  table.all = new Map([...rows].sort(([left], [right]) => (left < right ? -1 : 1)));
  return table.all;
}
