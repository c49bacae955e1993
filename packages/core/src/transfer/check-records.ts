/** What the lines of a run's records must be to one another, beyond the shape of each. */
import type { Digest } from "../artifact/artifact.ts";
import { BadContent } from "./json-lines.ts";
import { MAX_LOG_CHARACTERS } from "./limits.ts";
import type { ManifestRun, RecordLine, RunLine } from "./lines.ts";

/** Blobs and packages of a file, and which of them something names. */
export interface NamedContent {
  blob(ref: { readonly digest: Digest; readonly sizeBytes: number }, owner: string): void;
  package(digest: Digest): void;
}

const STAGES = {
  run: 0,
  execution: 1,
  value: 2,
  upstream: 3,
  task: 4,
  artifact: 4,
  page: 4,
  read: 4,
  metric: 4,
  log: 5,
} as const satisfies Record<RecordLine["kind"], number>;

/** Successors can build on such a task, so it can be the end of a run. */
const COMPLETE: readonly string[] = ["succeeded", "caught", "skipped"];

/** Takes the lines of one run in their order; each method throws BadContent. */
export class RecordChecker {
  readonly #file: ManifestRun;
  readonly #content: NamedContent;
  readonly #attempts = new Set<string>();
  /** Tasks that have their outcome from another task. */
  readonly #takenOver = new Set<number>();
  /** Names that are there already, of values, of upstreams, or of what a task has. */
  readonly #names = new Set<string>();
  /** Of the last task: how many values of a name there are so far. */
  readonly #metrics = new Map<string, number>();
  #run: RunLine | undefined;
  #stage = -1;
  #tasks = 0;
  #executions = 0;
  #nextItem = 0;
  #endStatus: string | undefined;

  constructor(file: ManifestRun, content: NamedContent) {
    this.#file = file;
    this.#content = content;
  }

  add(line: RecordLine): void {
    const stage = STAGES[line.kind];
    if (stage < this.#stage || (this.#run === undefined) !== (line.kind === "run"))
      throw new BadContent("its lines are not in order");
    if (stage !== this.#stage || line.kind === "task") this.#names.clear();
    this.#stage = stage;
    switch (line.kind) {
      case "run":
        this.#addRun(line);
        return;
      case "execution":
        this.#executions++;
        if (line.number !== this.#executions) throw new BadContent("its executions are not numbered from 1");
        if (line.packageDigest !== undefined) this.#content.package(line.packageDigest);
        return;
      case "value":
        this.#once(line.name, "value");
        this.#content.blob(line, `${line.as} "${line.name}"`);
        return;
      case "upstream":
        this.#once(line.name, "upstream");
        return;
      case "task":
        this.#addTask(line);
        return;
      case "artifact":
        this.#ofTask(line.task);
        this.#once(`artifact ${line.name}`, "artifact");
        if (line.gone === undefined) this.#content.blob(line, `artifact "${line.name}" of task ${line.task}`);
        return;
      case "page":
        this.#ofTask(line.task);
        if (line.first < this.#nextItem || line.count === 0)
          throw new BadContent(`the items of task ${line.task} are not in order`);
        this.#nextItem = line.first + line.count;
        this.#content.blob(line, `items from ${line.first} of task ${line.task}`);
        return;
      case "read":
        this.#ofTask(line.task);
        this.#once(`read ${line.upstream ?? ""} ${line.producer} ${line.artifact}`, "read");
        return;
      case "metric":
        this.#ofTask(line.task);
        this.#addMetric(line);
        return;
      case "log":
        if (line.task >= this.#tasks) throw new BadContent(`output in it is of task ${line.task}, which is not there`);
        if (line.text.length > MAX_LOG_CHARACTERS) throw new BadContent("a piece of output in it is too long");
    }
  }

  end(): void {
    const run = this.#run;
    if (run === undefined) throw new BadContent("it is empty");
    if (this.#tasks !== run.tasks)
      throw new BadContent(`it has ${this.#tasks} tasks and says that there are ${run.tasks}`);
    if (this.#executions !== run.executions)
      throw new BadContent(`it has ${this.#executions} executions and says that there are ${run.executions}`);
    if (run.endTask !== undefined && !COMPLETE.includes(this.#endStatus ?? ""))
      throw new BadContent(`it ends with task ${run.endTask}, which is no task that succeeded`);
  }

  isTakenOver(task: number): boolean {
    return this.#takenOver.has(task);
  }

  #addRun(run: RunLine): void {
    const { id, status, store: _, run: alias } = this.#file;
    if (run.id !== id || run.status !== status || !alias.startsWith(`${run.flow.project}/${run.flow.name}/`))
      throw new BadContent("it is not the run that the manifest says");
    if (run.packageDigest !== undefined) this.#content.package(run.packageDigest);
    this.#run = run;
  }

  #addTask(line: RecordLine & { kind: "task" }): void {
    if (line.task !== this.#tasks) throw new BadContent("its tasks are not numbered from 0");
    if (line.inherits !== undefined && line.inherits >= line.task)
      throw new BadContent(`task ${line.task} inherits from one that comes later`);
    const place = `${line.step}/${line.path}#${line.attempt}`;
    if (this.#attempts.has(place)) throw new BadContent(`the attempt ${place} is in it twice`);
    this.#attempts.add(place);
    if (line.takenFrom !== undefined) this.#takenOver.add(line.task);
    if (line.task === this.#run?.endTask) this.#endStatus = line.status;
    this.#tasks++;
    this.#nextItem = 0;
    this.#metrics.clear();
  }

  /** Values of one name follow each other, piece by piece. */
  #addMetric({ name, first, values, steps, task }: RecordLine & { kind: "metric" }): void {
    if (first !== (this.#metrics.get(name) ?? 0))
      throw new BadContent(`the values of the metric "${name}" of task ${task} are not in order`);
    if (steps !== undefined && steps.length !== values.length)
      throw new BadContent(
        `the metric "${name}" of task ${task} has ${values.length} values and ${steps.length} steps`,
      );
    this.#metrics.set(name, first + values.length);
  }

  #ofTask(task: number): void {
    if (task !== this.#tasks - 1) throw new BadContent(`what belongs to task ${task} does not stand behind it`);
  }

  #once(name: string, kind: string): void {
    if (this.#names.has(name)) throw new BadContent(`one ${kind} is in it twice`);
    this.#names.add(name);
  }
}
