/** `flow runs [FLOW]`: runs of a store, newest first. */
import type { FlowError, RunQuery, RunRow, RunSort, RunStatus } from "@millrace/core/internal";
import { parseConditions, parseSort } from "../arguments/run-query.ts";
import { EXIT } from "../exit-code.ts";
import { metricText } from "../render/metric.ts";
import { statusMark, statusWord } from "../render/status.ts";
import { renderTable } from "../render/table.ts";
import { dateTime, plain } from "../render/text.ts";
import { type Command, DEBUG_FLAG, type Invocation, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { withStores } from "./with-stores.ts";

const STATUSES = ["running", "succeeded", "failed", "cancelled", "queued", "lost"];
const PAGE = 1_000;

export const runsCommand: Command = {
  usage: "runs [FLOW] [--tag TAG …] [--status STATUS] [--where CONDITION …] [--sort metric:NAME] [--limit N]",
  positionals: [{ name: "FLOW", help: "Only runs of this flow: Train or project/Train", required: false }],
  flags: [
    { name: "tag", type: "list", placeholder: "TAG", help: "Only runs that hold this tag" },
    {
      name: "status",
      type: "text",
      placeholder: "STATUS",
      choices: STATUSES,
      help: `Only runs in this state: ${STATUSES.join(", ")}`,
    },
    {
      name: "where",
      type: "list",
      placeholder: "CONDITION",
      help: 'Only runs of which this holds: "metric:r2>0.9" (the last value; < <= > >= = !=), "param:rate=0.1"',
    },
    {
      name: "sort",
      type: "text",
      placeholder: "metric:NAME",
      help: "The highest last value of a metric first, or param:NAME; runs without one are last. At most 1,000 runs",
    },
    { name: "ascending", type: "boolean", help: "With --sort: the lowest first" },
    { name: "limit", type: "number", short: "n", min: 1, help: "At most so many (default 20)" },
    { ...JSON_FLAG, help: "Print one JSON object a line" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["runs Train --tag prod:v1", ""],
    ["runs Train --sort metric:r2 -n 10", "the ten best"],
    ["runs --status failed -n 5", ""],
  ],
  run: (invocation, context) =>
    withStores(invocation, context, async ({ metadata }, core) => {
      const flow = invocation.positionals[0];
      const identified = flow === undefined ? undefined : await core.identifyFlow(metadata, core.flowNameOf(flow));
      if (identified !== undefined && identified.kind !== "known") {
        throw await unknownFlow(flow!, identified);
      }
      const status = invocation.text("status") as RunStatus | undefined;
      const sortText = invocation.text("sort");
      const sort = sortText === undefined ? undefined : parseSort(core, sortText, invocation.isOn("ascending"));
      const conditions = parseConditions(core, invocation.list("where"));
      const query: RunQuery = {
        ...conditions,
        ...(identified === undefined ? {} : { flow: identified.flow }),
        tags: core.normalTags(invocation.list("tag")),
        ...(status === undefined ? {} : { status }),
      };
      const unreadable: FlowError[] = [];
      const limit = invocation.number("limit") ?? 20;
      const rows =
        sort === undefined
          ? await take(limit, async (page) => {
              const numbers: RunRow["sequence"][] = [];
              const onUnreadable = (error: FlowError, run: RunRow["sequence"]): void => {
                unreadable.push(error);
                numbers.push(run);
              };
              const read = await metadata.runs({ ...query, ...page, onUnreadable });
              numbers.push(...read.map((row) => row.sequence));
              return { rows: read, looked: numbers.length, last: Math.min(...numbers) as RunRow["sequence"] };
            })
          : await metadata.sortedRuns({ ...query, limit: Math.min(limit, PAGE) }, sort);
      const exit = unreadable.length === 0 ? EXIT.done : EXIT.failed;
      for (const error of unreadable)
        context.stderr.write(`${plain(error.message)}\n${error.hint === undefined ? "" : `  ${plain(error.hint)}\n`}`);
      const shown = shownMetrics(sort, conditions);
      const metrics = await metricsOf(rows, invocation.isOn("json") || shown.length > 0, (row) =>
        core.lastMetrics(metadata, row),
      );
      const severalProjects = new Set(rows.map((row) => row.flow.project)).size > 1;
      const nameOf = (row: RunRow): string => (severalProjects ? core.fullRunName(row) : core.runName(row));

      const { stdout } = context;
      const { paint } = stdout;
      if (invocation.isOn("json")) {
        for (const row of rows)
          stdout.write(`${JSON.stringify(runJson(row, core.runName(row), jsonMetrics(metrics.get(row)!)))}\n`);
        return exit;
      }
      if (rows.length === 0) {
        if (exit === EXIT.done) context.stderr.write("No run matches\n");
        return exit;
      }
      const duration = (row: RunRow): string =>
        row.finishedAt === undefined
          ? ""
          : core.formatDuration(core.elapsedMs(row.startedAt ?? row.createdAt, row.finishedAt));
      stdout.write(
        renderTable(
          [
            { title: "  RUN" },
            { title: "STATUS" },
            ...shown.map((name) => ({ title: plain(name), align: "right" }) as const),
            { title: "TAGS", shrinkTo: 12 },
            { title: "CREATED" },
            { title: "TOOK", align: "right" },
            { title: "PARAMETERS", shrinkTo: 10 },
          ],
          rows.map((row) => [
            `${statusMark(row.status, paint)} ${plain(nameOf(row))}`,
            statusWord(row.status, paint),
            ...shown.map((name) => metricText(metrics.get(row)![name])),
            plain(row.tags.join(", ")),
            dateTime(row.createdAt),
            duration(row),
            plain(parameterText(row.parameters)),
          ]),
          { paint, width: stdout.columns() },
        ),
      );
      // Only of the newest: an old failure is no news.
      const newest = rows[0]!;
      if (["lost", "failed", "cancelled"].includes(newest.status))
        context.stderr.write(paint.dim(`  flow show ${nameOf(newest)}     flow resume ${nameOf(newest)}\n`));
      if (sort !== undefined && "metric" in sort.by && rows.every((row) => metrics.get(row)![shown[0]!] === undefined))
        context.stderr.write(paint.dim(`No run recorded the metric "${plain(shown[0]!)}"\n`));
      const total = (await metadata.countRuns(query)) - unreadable.length;
      if (total > rows.length)
        context.stderr.write(
          paint.dim(
            `${total - rows.length} more: flow runs${flow === undefined ? "" : ` ${flow}`}${filterWords(invocation, core.shellWord)} --limit ${total}\n`,
          ),
        );
      return exit;

      function jsonMetrics(values: Readonly<Record<string, number>>): Readonly<Record<string, unknown>> {
        return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, core.jsonNumber(value)]));
      }

      async function unknownFlow(
        name: string,
        found:
          | { readonly kind: "unknown" }
          | { readonly kind: "ambiguous"; readonly problem: import("@millrace/core/internal").Problem },
      ): Promise<Error> {
        if (found.kind === "ambiguous") return core.problemsError(`Cannot list runs of "${name}"`, [found.problem]);
        const known = (await metadata.flows()).map((entry) => entry.flow.name);
        const nearest = core.nearestName(name.slice(name.lastIndexOf("/") + 1), known);
        return new core.FlowError("FLOW_LINEAGE_NO_RUN", {
          message: `Cannot list runs of "${name}": the store has no run of this flow`,
          hint:
            nearest !== undefined
              ? `Did you mean "${nearest}"?`
              : known.length === 0
                ? "Run a flow first"
                : `There are ${known.slice(0, 20).join(", ")}`,
        });
      }
    }),
};

/** The words of the filters, so that the same runs are listed. */
function filterWords(invocation: Invocation, quoted: (word: string) => string): string {
  const status = invocation.text("status");
  const sort = invocation.text("sort");
  const tags = invocation.list("tag").map((tag) => ` --tag ${quoted(tag)}`);
  const where = invocation.list("where").map((condition) => ` --where ${quoted(condition)}`);
  return [
    ...tags,
    ...(status === undefined ? [] : [` --status ${status}`]),
    ...where,
    ...(sort === undefined ? [] : [` --sort ${quoted(sort)}`]),
    ...(invocation.isOn("ascending") ? [" --ascending"] : []),
  ].join("");
}

/** Metrics that the command was asked about: each gets a column. */
function shownMetrics(sort: RunSort | undefined, { metrics = [] }: Pick<RunQuery, "metrics">): readonly string[] {
  const sorted = sort !== undefined && "metric" in sort.by ? [sort.by.metric] : [];
  return [...new Set([...sorted, ...metrics.map(({ metric }) => metric)])];
}

async function metricsOf(
  rows: readonly RunRow[],
  isWanted: boolean,
  read: (row: RunRow) => Promise<Readonly<Record<string, number>>>,
): Promise<ReadonlyMap<RunRow, Readonly<Record<string, number>>>> {
  const found = new Map<RunRow, Readonly<Record<string, number>>>();
  if (isWanted) for (const row of rows) found.set(row, await read(row));
  return found;
}

async function take(
  limit: number,
  read: (page: { before?: RunRow["sequence"]; limit: number }) => Promise<{
    readonly rows: readonly RunRow[];
    /** With those that could not be read. */
    readonly looked: number;
    readonly last: RunRow["sequence"];
  }>,
): Promise<readonly RunRow[]> {
  const rows: RunRow[] = [];
  let before: RunRow["sequence"] | undefined;
  while (rows.length < limit) {
    const wanted = Math.min(PAGE, limit - rows.length);
    const page = await read({ limit: wanted, ...(before === undefined ? {} : { before }) });
    rows.push(...page.rows);
    if (page.looked < wanted) break;
    before = page.last;
  }
  return rows;
}

function runJson(row: RunRow, name: string, metrics: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return {
    id: row.id,
    run: name,
    flow: row.flow,
    status: row.status,
    createdAt: row.createdAt,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    tags: row.tags,
    systemTags: row.systemTags,
    parameters: row.parameters,
    metrics,
    execution: {
      number: row.execution.number,
      host: row.execution.runner.host,
      pid: row.execution.runner.pid,
      heartbeatAt: row.execution.heartbeatAt,
    },
  };
}

function parameterText(parameters: Readonly<Record<string, unknown>>): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ");
}
