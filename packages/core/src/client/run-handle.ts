import { checkOptions } from "../errors/check-options.ts";
import { FlowError } from "../errors/flow-error.ts";
import type { Lineage, LineageOptions } from "../events/lineage.ts";
import type { Flow } from "../flow/flow.ts";
import type { MetricValue, Run, Signature, StepName, TagOptions } from "../flow/public-types.ts";
import { traceArtifact } from "../lineage/artifact-lineage.ts";
import { describeDeleted } from "../lineage/deleted-run.ts";
import { findRunByText } from "../lineage/find-run.ts";
import { describeStatus } from "../lineage/near-misses.ts";
import { runName } from "../lineage/run-name.ts";
import { traceLineage } from "../lineage/trace-lineage.ts";
import type { ArtifactRow, RunRow, TagEvent } from "../metadata/metadata-store.ts";
import { readPrivateKey, readPublicKey } from "../metadata/signing-key.ts";
import { nearestName } from "../util/nearest-name.ts";
import type { ClientContext } from "./client.ts";
import { selectorError } from "./find-run.ts";
import { lastMetrics, metricValues } from "./metrics.ts";
import { promiseRecord } from "./promise-record.ts";
import { signaturesOf, signRun } from "./signatures.ts";
import { type MovedTags, moveTags } from "./tags.ts";
import { type TaskHandle, TaskList } from "./task-handle.ts";
import { actorOf, tellWebhooks } from "./who-moves.ts";

/** One run, as it stood when it was read. */
export class RunHandle<T extends Flow = Flow> implements Run<T> {
  readonly data: Run<T>["data"];
  readonly upstreams: Run<T>["upstreams"];
  readonly #context: ClientContext;
  readonly #row: RunRow;

  constructor(context: ClientContext, row: RunRow) {
    this.#context = context;
    this.#row = row;
    this.data = promiseRecord((name) => this.#readArtifact(name));
    this.upstreams = promiseRecord((name) => this.#readUpstream(name));
  }

  /** The global id, the same in every store. */
  get id(): string {
    return this.#row.id;
  }

  /** The store's alias: `Train/17`. */
  get name(): string {
    return runName(this.#row);
  }

  get flow(): string {
    return `${this.#row.flow.project}/${this.#row.flow.name}`;
  }

  get number(): number {
    return this.#row.number;
  }

  get status(): Run["status"] {
    return this.#row.status;
  }

  /** Held when the run was read; `addTags` and `removeTags` give a newer handle. */
  get tags(): readonly string[] {
    return this.#row.tags;
  }

  get createdAt(): Date {
    return new Date(this.#row.createdAt);
  }

  /** The record itself. */
  get row(): RunRow {
    return this.#row;
  }

  /** The last value of each metric. */
  metrics(): Promise<Readonly<Record<string, number>>> {
    return lastMetrics(this.#context.metadata, this.#row);
  }

  /** All values of a metric. */
  metricValues(name: string): Promise<readonly MetricValue[]> {
    return metricValues(this.#context.metadata, this.#row, name);
  }

  step<K extends StepName<T>>(name: K): { readonly tasks: AsyncIterable<TaskHandle<T>> } {
    return { tasks: new TaskList<T>(this.#context, this.#row, String(name)) };
  }

  /** What the run, or one artifact of it, was made from, or what was made from it. */
  async lineage(given: LineageOptions & { readonly artifact?: string } = {}): Promise<Lineage> {
    checkOptions("lineage()", given, { direction: "text", depth: "any", limit: "any", artifact: "text" });
    const { artifact, ...options } = given;
    const { metadata } = this.#context;
    return artifact === undefined
      ? await traceLineage(metadata, this.#row, options)
      : await traceArtifact(metadata, this.#row, artifact, options);
  }

  async addTags(tags: readonly string[], options: TagOptions = {}): Promise<RunHandle<T>> {
    return await this.#move("addTags()", { add: tags }, options);
  }

  async removeTags(tags: readonly string[], options: TagOptions = {}): Promise<RunHandle<T>> {
    return await this.#move("removeTags()", { remove: tags }, options);
  }

  async replaceTag(tag: string, by: string, options: TagOptions = {}): Promise<RunHandle<T>> {
    return await this.#move("replaceTag()", { remove: [tag], add: [by], action: "replace" }, options);
  }

  async promote(to: string, options: TagOptions = {}): Promise<RunHandle<T>> {
    return await this.#move("promote()", { add: [to], action: "promote", take: true }, options);
  }

  /** Signs what is recorded of the run, and keeps the signature in the store. */
  async sign(key: string): Promise<Signature> {
    const { metadata, actor, host, now } = this.#context;
    const by = { actor, host, at: now() };
    return (await signRun(metadata, this.#row, readPrivateKey(key, "sign()"), by)).signature;
  }

  /** Its signatures, judged by the public keys that are trusted. */
  async signatures(publicKeys: readonly string[] = []): Promise<readonly Signature[]> {
    const trusted = publicKeys.map((key) => readPublicKey(key, "signatures()"));
    return await signaturesOf(this.#context.metadata, this.#row, trusted);
  }

  /** Every move of a tag of this run, newest first. */
  async tagEvents(): Promise<readonly TagEvent[]> {
    return await this.#context.metadata.tagEvents({ run: this.#row.id });
  }

  async #move(called: string, tags: MovedTags, options: TagOptions): Promise<RunHandle<T>> {
    checkOptions(called, options, { reason: "text", expect: "any", check: "boolean", forceAge: "boolean" });
    for (const given of [tags.add, tags.remove]) checkOptions(called, { tags: given }, { tags: "texts" });
    const { expect, check, forceAge, reason } = options;
    const { metadata } = this.#context;
    const expected = expect === undefined || expect === "none" ? expect : await this.#idsOf([expect].flat());
    const more: MovedTags = {
      ...tags,
      ...(expected === undefined ? {} : { expect: expected }),
      ...(check === undefined ? {} : { check }),
      ...(forceAge === undefined ? {} : { forceAge }),
    };
    await moveTags(this.#context, this.#row, more, actorOf(this.#context, reason));
    await tellWebhooks(this.#context);
    return new RunHandle<T>(this.#context, (await metadata.run(this.#row.sequence)) ?? this.#row);
  }

  async #idsOf(runs: readonly string[]): Promise<readonly RunRow["id"][]> {
    const ids: RunRow["id"][] = [];
    for (const run of runs) ids.push(await this.#idOf(run));
    return ids;
  }

  async #idOf(run: string): Promise<RunRow["id"]> {
    const { metadata, project } = this.#context;
    const found = await findRunByText(metadata, run, {
      flow: this.#row.flow,
      ...(project === undefined ? {} : { ownProject: project }),
    });
    if (found.kind === "problem") throw selectorError(run, found.problem);
    return found.run.id;
  }

  async #readArtifact(name: string): Promise<unknown> {
    const { metadata, reader } = this.#context;
    const { endTask } = this.#row;
    const own = endTask === undefined ? undefined : await metadata.visibleArtifact(endTask, name);
    if (own !== undefined && this.#row.status === "succeeded")
      return await reader.read(this.#row, `${this.name}/end`, own, endTask);
    const values = await metadata.runValues(this.#row.sequence);
    const value = values.find((candidate) => candidate.name === name);
    if (value !== undefined) return await reader.read(this.#row, this.name, value);
    if (this.#row.status !== "succeeded" || endTask === undefined) throw this.#notFinished(name);
    throw await this.#noArtifact(name, values);
  }

  #notFinished(name: string): FlowError {
    const { status } = this.#row;
    const isUnderWay = status === "running" || status === "queued";
    return new FlowError("FLOW_CLIENT_NOT_FINISHED", {
      message: `Cannot read "${name}" of ${this.name}: the run ${describeStatus(status)}, so it has no end result`,
      hint: isUnderWay
        ? "Wait until it has succeeded, or read a finished task with run.step(name).tasks"
        : "Read one of its finished tasks with run.step(name).tasks",
      context: { run: this.id, artifact: name, status },
    });
  }

  async #noArtifact(name: string, values: readonly ArtifactRow[]): Promise<FlowError> {
    const { metadata } = this.#context;
    const visible = this.#row.endTask === undefined ? [] : await metadata.visibleArtifacts(this.#row.endTask);
    const names = [...visible, ...values].map((row) => row.name);
    const edges = await metadata.upstreams(this.#row.sequence);
    return new FlowError("FLOW_CLIENT_NO_ARTIFACT", {
      message: `Cannot read "${name}" of ${this.name}: the run left no artifact of this name`,
      hint: edges.some((edge) => edge.name === name)
        ? `It is an upstream: await run.upstreams.${name}`
        : nameHint(name, names),
      context: { run: this.id, artifact: name, names },
    });
  }

  async #readUpstream(name: string): Promise<unknown> {
    const { metadata } = this.#context;
    const edges = await metadata.upstreams(this.#row.sequence);
    const edge = edges.find((candidate) => candidate.name === name);
    if (edge === undefined) {
      throw new FlowError("FLOW_CLIENT_NO_UPSTREAM", {
        message: `Cannot follow "${name}" of ${this.name}: the run has no upstream of this name`,
        hint: nameHint(
          name,
          edges.map((candidate) => candidate.name),
        ),
        context: { run: this.id, upstream: name },
      });
    }
    const producer = edge.producer === undefined ? undefined : await metadata.runById(edge.producer);
    if (producer !== undefined) return new RunHandle(this.#context, producer);
    const deleted = edge.producer === undefined ? undefined : await metadata.deletedRun(edge.producer);
    if (deleted !== undefined) {
      throw new FlowError("FLOW_LINEAGE_RUN_DELETED", {
        message: `Cannot follow "${name}" of ${this.name}: ${describeDeleted(deleted)}`,
        hint: "What was read from it is recorded with its digests: look at the record of this run with flow show",
        context: { run: this.id, upstream: name, producer: deleted.id },
      });
    }
    throw new FlowError("FLOW_CLIENT_NO_UPSTREAM", {
      message:
        edge.producer === undefined
          ? `Cannot follow "${name}" of ${this.name}: it is optional and found no run`
          : `Cannot follow "${name}" of ${this.name}: the run ${edge.producer} is not in this store`,
      context: { run: this.id, upstream: name },
    });
  }
}

/** What to say to someone who asked for a name that is not there. */
export function nameHint(name: string, names: readonly string[]): string {
  const near = nearestName(name, names);
  if (near !== undefined) return `Did you mean "${near}"?`;
  return names.length === 0
    ? "There are none"
    : `There are ${names.slice(0, 20).join(", ")}${names.length > 20 ? ", …" : ""}`;
}
