import { checkOptions, type OptionKinds } from "../errors/check-options.ts";
import { FlowError, problemsError } from "../errors/flow-error.ts";
import type { FlowIdentity } from "../flow/definition.ts";
import type { Flow } from "../flow/flow.ts";
import type { Query, Run, RunOrder, Runs, TagHolding, TagMoved } from "../flow/public-types.ts";
import { metricNameProblem } from "../ids/names.ts";
import { normalTags } from "../lineage/check-tags.ts";
import { findByTags, findRunByText, severalRunsProblem } from "../lineage/find-run.ts";
import { type FlowName, identifyFlow } from "../lineage/identify-flow.ts";
import type { RunQuery, RunSequence } from "../metadata/metadata-store.ts";
import type { MetricCondition, RunSort } from "../metadata/metric.ts";
import type { ClientContext } from "./client.ts";
import { selectorError } from "./find-run.ts";
import { rollback } from "./rollback.ts";
import { RunHandle } from "./run-handle.ts";
import { publicHolding, tagHistory } from "./tag-history.ts";
import { followTagMoves } from "./tag-moves.ts";
import { actorOf, tellWebhooks } from "./who-moves.ts";

const PAGE = 50;
/** A sorted list has no later pages: whoever sorts wants the best ones. */
const MAX_SORTED = 1_000;
const QUERY: OptionKinds<Query<Flow>> = {
  tags: "texts",
  status: "any",
  params: "object",
  metrics: "object",
  sort: "object",
  limit: "any",
};
const SORT: OptionKinds<{ metric: string; param: string; order: string }> = {
  metric: "text",
  param: "text",
  order: "any",
};
const STATUSES = ["queued", "running", "succeeded", "failed", "cancelled", "lost"];

/** The runs of one flow, newest first, perhaps filtered. */
export class RunList<T extends Flow> implements Runs<T> {
  readonly #context: ClientContext;
  readonly #flow: FlowName;
  readonly #query: Query<T>;

  constructor(context: ClientContext, flow: FlowName, query: Query<T>) {
    this.#context = context;
    this.#flow = flow;
    this.#query = query;
  }

  /**
   * The same runs with more conditions: tags add up, the rest of the newer query counts.
   *
   * @throws FlowError FLOW_CLIENT_BAD_QUERY for a condition that there is not: nothing less than what was asked for is answered
   */
  where(query: Query<T>): Runs<T> {
    checkOptions("where()", query, QUERY, "FLOW_CLIENT_BAD_QUERY");
    const tags = [...(this.#query.tags ?? []), ...(query.tags ?? [])];
    return new RunList<T>(this.#context, this.#flow, {
      ...this.#query,
      ...query,
      ...(tags.length === 0 ? {} : { tags }),
    });
  }

  /**
   * The newest run that fits; successful ones alone unless the query names a status.
   *
   * @throws FlowError FLOW_LINEAGE_NO_RUN, with near misses in the hint; FLOW_CLIENT_BAD_QUERY
   */
  async latest(query: Query<T> = {}): Promise<RunHandle<T>> {
    checkOptions("latest()", query, QUERY, "FLOW_CLIENT_BAD_QUERY");
    const all = this.where(query) as RunList<T>;
    const { tags = [], params, status, metrics, sort } = all.#query;
    const { metadata, project, warn } = this.#context;
    if (sort !== undefined)
      throw badQuery(
        "the latest run is asked for, and another order",
        "Write for await (… of runs.where({ sort, limit: 1 }))",
      );
    if (params === undefined && metrics === undefined && (status === undefined || status === "succeeded")) {
      const found = await findByTags(metadata, this.#flow, tags, project);
      if (found.kind === "problem") throw selectorError([this.#flow.name, ...tags].join("@"), found.problem);
      const several = severalRunsProblem(found);
      if (several !== undefined) warn(several);
      return new RunHandle<T>(this.#context, found.run);
    }
    const limited = new RunList<T>(this.#context, this.#flow, {
      ...all.#query,
      status: status ?? "succeeded",
      limit: 1,
    });
    for await (const run of limited) return run as RunHandle<T>;
    throw new FlowError("FLOW_LINEAGE_NO_RUN", {
      message: `Cannot find a run of ${this.#flow.name}: none fits the query`,
      hint: `List what there is with flow runs ${this.#flow.name}`,
      context: {
        flow: this.#flow.name,
        tags,
        status: status ?? "succeeded",
        ...(params === undefined ? {} : { params }),
      },
    });
  }

  /** One run of this flow: its number, `Train/17`, a run id or `Train@prod:v1`. */
  async get(run: number | string): Promise<RunHandle<T>> {
    const { metadata, project } = this.#context;
    const found = await findRunByText(metadata, String(run), {
      flow: this.#flow,
      ...(project === undefined ? {} : { ownProject: project }),
    });
    if (found.kind === "problem") throw selectorError(String(run), found.problem);
    return new RunHandle<T>(this.#context, found.run);
  }

  async rollback(tag: string, asked: Parameters<Runs<T>["rollback"]>[1] = {}): Promise<RunHandle<T>> {
    checkOptions("rollback()", asked, { to: "any", reason: "text", forceAge: "boolean" });
    const { to, forceAge, reason } = asked;
    const flow = await this.#identity();
    const target = to === undefined ? undefined : (await this.get(to)).row;
    const options = {
      ...(target === undefined ? {} : { to: target }),
      ...(forceAge === undefined ? {} : { forceAge }),
    };
    const back = await rollback(this.#context, flow, tag, options, actorOf(this.#context, reason));
    await tellWebhooks(this.#context);
    return new RunHandle<T>(this.#context, (await this.#context.metadata.run(back.to.sequence)) ?? back.to);
  }

  async tagHistory(tag: string, options: { readonly at?: Date } = {}): Promise<readonly TagHolding[]> {
    checkOptions("tagHistory()", options, { at: "date" });
    const { at } = options;
    const flow = await this.#identity();
    const when = at === undefined ? {} : { at: { from: at, to: new Date(at.getTime() + 1) } };
    return (await tagHistory(this.#context.metadata, { tag, flow, ...when })).map(publicHolding);
  }

  async *tagMoves(options: Parameters<Runs<T>["tagMoves"]>[0] = {}): AsyncGenerator<TagMoved> {
    checkOptions("tagMoves()", options, { tag: "text", after: "number", signal: "signal" });
    const flow = await this.#identity();
    yield* followTagMoves(this.#context.metadata, { flow, ...options });
  }

  /** @throws FlowError FLOW_LINEAGE_NO_RUN, FLOW_LINEAGE_AMBIGUOUS_FLOW */
  async #identity(): Promise<FlowIdentity> {
    const { metadata, project } = this.#context;
    const identified = await identifyFlow(metadata, this.#flow, project);
    if (identified.kind === "known") return identified.flow;
    if (identified.kind === "ambiguous") throw problemsError("Cannot find the flow", [identified.problem]);
    throw new FlowError("FLOW_LINEAGE_NO_RUN", {
      message: `Cannot find the flow ${this.#flow.name}: the store has no run of it`,
      hint: "List what there is with flow runs",
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Run<T>> {
    const { metadata, project } = this.#context;
    const query = runQuery(this.#query as Query<Flow>);
    const identified = await identifyFlow(metadata, this.#flow, project);
    if (identified.kind === "ambiguous") throw problemsError("Cannot list runs", [identified.problem]);
    if (identified.kind === "unknown") return;
    const { sort } = this.#query as Query<Flow>;
    if (sort !== undefined) {
      const limit = Math.min(this.#query.limit ?? MAX_SORTED, MAX_SORTED);
      if (limit === 0) return;
      const sorted = await metadata.sortedRuns({ ...query, flow: identified.flow, limit }, runSort(sort));
      for (const row of sorted) yield new RunHandle<T>(this.#context, row);
      return;
    }
    let left = this.#query.limit ?? Number.POSITIVE_INFINITY;
    let before: RunSequence | undefined;
    while (left > 0) {
      const limit = Math.min(left, PAGE);
      const page = await metadata.runs({
        ...query,
        flow: identified.flow,
        limit,
        ...(before === undefined ? {} : { before }),
      });
      for (const row of page) yield new RunHandle<T>(this.#context, row);
      if (page.length < limit) return;
      left -= page.length;
      before = page.at(-1)!.sequence;
    }
  }
}

/** A query of the client as one of the store; refuses what cannot be compared. */
function runQuery(query: Query<Flow>): Pick<RunQuery, "tags" | "status" | "parameters" | "metrics"> {
  const { status, limit, tags } = query;
  if (status !== undefined && !STATUSES.includes(status))
    throw badQuery(`"${status}" is no status`, `Use one of ${STATUSES.join(", ")}`);
  if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 0))
    throw badQuery(`the limit ${limit} is no whole number from 0 on`);
  const parameters = query.params as Readonly<Record<string, unknown>> | undefined;
  for (const [name, value] of Object.entries(parameters ?? {})) {
    if (!isPlainJson(value))
      throw badQuery(
        `parameter "${name}" is compared as it is stored, and this value is no JSON`,
        "Give the value as it stands in the run's record",
      );
  }
  return {
    ...(tags === undefined ? {} : { tags: normalTags(tags) }),
    ...(status === undefined ? {} : { status }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(query.metrics === undefined ? {} : { metrics: conditionsOf(query.metrics) }),
  };
}

const BOUNDS = { above: ">", atLeast: ">=", below: "<", atMost: "<=" } as const;

function conditionsOf(metrics: NonNullable<Query<Flow>["metrics"]>): readonly MetricCondition[] {
  return Object.entries(metrics).flatMap(([metric, wanted]): MetricCondition[] => {
    checkMetric(metric);
    if (typeof wanted === "number") return [{ metric, is: "=", value: checkBound(metric, wanted) }];
    return Object.entries(wanted).map(([bound, value]) => {
      if (!Object.hasOwn(BOUNDS, bound))
        throw badQuery(`"${bound}" is no bound of a metric`, `Use ${Object.keys(BOUNDS).join(", ")}`);
      return { metric, is: BOUNDS[bound as keyof typeof BOUNDS], value: checkBound(metric, value) };
    });
  });
}

function checkBound(metric: string, value: unknown): number {
  if (typeof value === "number" && !Number.isNaN(value)) return value;
  throw badQuery(`the metric "${metric}" is compared with ${String(value)}, which is no number`);
}

function checkMetric(metric: string): void {
  const problem = metricNameProblem(metric);
  if (problem !== undefined) throw badQuery(`${JSON.stringify(metric)} is no metric: ${problem}`);
}

function runSort(sort: RunOrder<Flow>): RunSort {
  const { order = "descending" } = sort;
  checkOptions("sort", sort, SORT, "FLOW_CLIENT_BAD_QUERY");
  const { metric, param } = sort as { readonly metric?: string; readonly param?: string };
  if ((metric === undefined) === (param === undefined))
    throw badQuery("runs are sorted by one thing", 'Write sort: { metric: "NAME" } or sort: { param: "NAME" }');
  if (order !== "descending" && order !== "ascending")
    throw badQuery(`"${String(order)}" is no order`, "Use descending or ascending");
  if (metric === undefined) return { by: { parameter: param! }, order };
  checkMetric(metric);
  return { by: { metric }, order };
}

function badQuery(why: string, hint?: string): FlowError {
  return new FlowError("FLOW_CLIENT_BAD_QUERY", {
    message: `Cannot look for runs: ${why}`,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Dates, maps and instances are stored in an encoded form that only the flow's schema knows. */
function isPlainJson(value: unknown): boolean {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isPlainJson);
  if (typeof value !== "object") return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && Object.values(value).every(isPlainJson);
}
