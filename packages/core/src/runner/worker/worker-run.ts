/**
 * What one worker knows of one run: its values and upstreams, read once from the store and shared by all tasks of the run
 * that this worker executes. Values themselves are decoded for each task anew.
 */
import { digestOf } from "../../artifact/digest.ts";
import { type StoredItem, storedItems } from "../../artifact/item-pages.ts";
import { decodeValue } from "../../artifact/value-codec.ts";
import { FlowError } from "../../errors/flow-error.ts";
import type { CurrentRun } from "../../flow/current.ts";
import type {
  ArtifactRow,
  RunValueKind,
  TaskReader,
  TaskSequence,
  UpstreamRow,
} from "../../metadata/metadata-store.ts";
import { nearestName } from "../../util/nearest-name.ts";
import type { RunContext, StepContract } from "../protocol.ts";
import type { ReadyTask } from "../scheduler/ready-task.ts";
import { AskedAhead } from "./asked-ahead.ts";
import type { ValueLoader } from "./value-loader.ts";
import { type ArtifactTable, VisibleArtifacts } from "./visible-artifacts.ts";

export class WorkerRun {
  readonly context: RunContext;
  /** What steps are told of the run; frozen, since all tasks have the same. */
  readonly facts: CurrentRun;
  readonly loader: ValueLoader;
  readonly reader: TaskReader;
  readonly values: ReadonlyMap<string, ArtifactRow & { readonly kind: RunValueKind }>;
  readonly upstreams: ReadonlyMap<string, UpstreamRow>;
  /** Values of upstreams that fit what their consumer expects: field, name, codec and digest of each. */
  readonly fittingReads = new Set<string>();
  readonly ahead: AskedAhead;
  readonly #visible: VisibleArtifacts;
  #page: { readonly split: TaskSequence; readonly first: number; readonly items: readonly StoredItem[] } | undefined;

  constructor(context: RunContext, reader: TaskReader, loader: ValueLoader) {
    this.context = context;
    const { id, name, flow, project, tags } = context;
    this.facts = Object.freeze({ id, name, flow, project, tags: Object.freeze([...tags]) });
    this.reader = reader;
    this.loader = loader;
    this.ahead = new AskedAhead(loader);
    this.#visible = new VisibleArtifacts(reader);
    this.values = new Map(reader.runValues(context.sequence).map((row) => [row.name, row]));
    this.upstreams = new Map(reader.upstreams(context.sequence).map((row) => [row.name, row]));
  }

  /** A task has ended in this worker, and the next one may start from it. */
  left({ sequence, inherits }: ReadyTask, artifacts: readonly ArtifactRow[]): void {
    this.#visible.left({ task: sequence, ...(inherits === undefined ? {} : { inherits }), artifacts });
  }

  /** The artifacts that a finished task leaves visible. */
  visible(task: TaskSequence): ArtifactTable {
    return this.#visible.of(task);
  }

  /**
   * One of them. Who needs only some of many, as a join does of each input, asks for these.
   *
   * @param following gives the tasks that come after it, at most so many, where they may be asked for next
   */
  visibleArtifact(
    task: TaskSequence,
    name: string,
    following?: (count: number) => readonly TaskSequence[],
  ): ArtifactRow | undefined {
    return this.#visible.find(task, name, following);
  }

  /**
   * The item that a task is executed for, in memory of its own.
   *
   * @throws FlowError FLOW_METADATA_CORRUPT when its page is lost
   */
  item(task: TaskPlace, place: ItemPlace, step: StepContract): unknown {
    const item = this.#storedItem(task, place, step);
    return decodeValue(item.codec, item.payload, { unknownClasses: "refuse" });
  }

  /** What tells an item of a foreach from others, wherever it stands. */
  itemIdentity(task: TaskPlace, place: ItemPlace, step: StepContract): Pick<ArtifactRow, "codec" | "digest"> {
    const { codec, payload } = this.#storedItem(task, place, step);
    return { codec, digest: digestOf([payload]) };
  }

  /** Its page stays opened: its neighbours are likely to be asked for next. */
  #storedItem(task: TaskPlace, { split, index }: ItemPlace, step: StepContract): StoredItem {
    let page = this.#page;
    if (page === undefined || page.split !== split || index < page.first || index >= page.first + page.items.length) {
      const row = this.reader.itemPage(split, index);
      if (row === undefined) throw lostItem(this.context.name, task, index, step);
      page = {
        split,
        first: row.first,
        items: storedItems(this.loader.payload(row, `the items of ${this.context.name}`)),
      };
      this.#page = page;
    }
    const item = page.items[index - page.first];
    if (item === undefined) throw lostItem(this.context.name, task, index, step);
    return item;
  }

  /** The value of a parameter, config, file or constant of this run. */
  runValue(name: string): unknown {
    if (Object.hasOwn(this.context.secrets, name)) return this.context.secrets[name];
    const row = this.values.get(name);
    if (row === undefined) throw new FlowError("FLOW_INTERNAL", { message: `The run has no value for "${name}"` });
    return this.loader.load(row, this.context.name);
  }
}

type TaskPlace = Pick<ReadyTask, "step" | "path">;
type ItemPlace = NonNullable<ReadyTask["item"]>;

/** The split task is recorded as finished, and the page with this item of it is not there. */
function lostItem(run: string, { step, path }: TaskPlace, index: number, { split }: StepContract): FlowError {
  const task = `${run}/${step}/${path}`;
  return new FlowError("FLOW_METADATA_CORRUPT", {
    message: `Cannot read item ${index} for ${task}: the records of ${run} have lost the items that ${split ?? "the step before it"} left`,
    hint: `Make the items again with flow resume ${run}${split === undefined ? "" : ` --from ${split}`}, or restore the store from a copy; flow store verify says what else is lost`,
    context: { run, task, item: index, ...(split === undefined ? {} : { split }) },
  });
}

/** The error for an artifact that is not there, with the nearest name that is. */
export function missingArtifact(name: string, owner: string, names: Iterable<string>): FlowError {
  const known = [...names];
  const near = nearestName(name, known);
  return new FlowError("FLOW_RUNNER_NO_ARTIFACT", {
    message: `Cannot read "${name}" of ${owner}: it has no such artifact`,
    hint: near === undefined ? `It has ${known.sort().join(", ") || "none"}` : `Did you mean "${near}"?`,
    context: { artifact: name, owner },
  });
}
