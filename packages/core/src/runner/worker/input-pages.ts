/**
 * Fields of a join's inputs, from a store behind a network: who reads a field of one input after the other has the values of the
 * next ones brought nearby, page by page, so that 10,000 inputs cost some fifty waits. Pages begin with one input and double, for
 * many joins read the first one alone; the page after a full one is on its way while that is read.
 */
import type { ArtifactRow } from "../../metadata/metadata-store.ts";
import type { JoinInput } from "../scheduler/scope-instance.ts";
import type { WorkerRun } from "./worker-run.ts";

const MAX_INPUTS = 256;
/** A page of large values is shorter: what is fetched takes room on this machine, and the step may stop reading. */
const MAX_BYTES = 64 * 1024 * 1024;

interface Page {
  readonly start: number;
  readonly rows: readonly (ArtifactRow | undefined)[];
  /** How many inputs it was to have. */
  readonly size: number;
  /** The page after it, where that is on its way. */
  next?: Page;
}

export class InputPages {
  readonly #run: Pick<WorkerRun, "loader" | "visibleArtifact">;
  readonly #inputs: readonly JoinInput[];
  /** The page that is read, by field. */
  readonly #pages = new Map<string, Page>();

  constructor(run: Pick<WorkerRun, "loader" | "visibleArtifact">, inputs: readonly JoinInput[]) {
    this.#run = run;
    this.#inputs = inputs;
  }

  /** The row of a field of an input; its value is nearby, unless it is read out of turn. */
  row(index: number, name: string): ArtifactRow | undefined {
    const page = this.#pages.get(name);
    if (page !== undefined && index >= page.start && index < endOf(page)) return page.rows[index - page.start];
    const isNext = page !== undefined && index === endOf(page);
    const size = isNext ? Math.min(2 * page.size, MAX_INPUTS) : 1;
    const opened = (isNext ? page.next : undefined) ?? this.#page(index, name, size);
    this.#pages.set(name, opened);
    this.#run.loader.fetchSync(opened.rows);
    if (size === MAX_INPUTS && endOf(opened) < this.#inputs.length) {
      opened.next = this.#page(endOf(opened), name, size);
      this.#run.loader.readAhead(opened.next.rows);
    }
    return opened.rows[index - opened.start];
  }

  #page(start: number, name: string, size: number): Page {
    const rows: (ArtifactRow | undefined)[] = [];
    let bytes = 0;
    for (let index = start; index < Math.min(start + size, this.#inputs.length) && bytes <= MAX_BYTES; index++) {
      const row = this.#run.visibleArtifact(this.#inputs[index]!.task, name, (count) => this.#following(index, count));
      rows.push(row);
      bytes += row?.sizeBytes ?? 0;
    }
    return { start, rows, size };
  }

  #following(index: number, count: number): readonly JoinInput["task"][] {
    return this.#inputs.slice(index + 1, index + 1 + count).map(({ task }) => task);
  }
}

function endOf({ start, rows }: Page): number {
  return start + rows.length;
}
