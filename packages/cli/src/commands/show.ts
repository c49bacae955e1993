/** `flow show SELECTOR`: a run with what it read and left; with a step, its tasks; with a task, its artifacts. */
import type { NamedOrigin, OpenStores, RunRecord, RunRow, TaskRow } from "@millrace/core/internal";
import type { Core } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { renderTaskError } from "../render/errors.ts";
import { statusMark, statusWord } from "../render/status.ts";
import { renderTable } from "../render/table.ts";
import { byteSize, dateTime, harmless } from "../render/text.ts";
import { type Command, type Context, DEBUG_FLAG, type Invocation, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { selectRun, withStores } from "./with-stores.ts";

/** Tasks listed of one step; the rest is counted. */
const MAX_TASKS = 200;

export const showCommand: Command = {
  usage: "show SELECTOR",
  positionals: [
    {
      name: "SELECTOR",
      help: "Train (its newest run), Train/17, Train@prod:v1, Train/17/fold or Train/17/fold/1.2",
      required: true,
    },
  ],
  flags: [{ ...JSON_FLAG, help: "Print the whole record as one JSON object" }, STORE_FLAG, DEBUG_FLAG],
  examples: [
    ["show Train", "the newest run, whether it succeeded or not"],
    ["show Train@prod:v1", "the newest successful run with this tag"],
  ],
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const { run, selector } = await selectRun(core, stores, invocation.positionals[0]!, context, {
        command: "flow show",
        most: "task",
      });
      if (selector.step !== undefined)
        return await showTasks(
          core,
          stores,
          run,
          { step: selector.step, ...(selector.path === undefined ? {} : { path: selector.path }) },
          invocation,
          context,
        );
      const record = await core.runRecord(stores.metadata, run);
      if (invocation.isOn("json")) {
        context.stdout.write(`${JSON.stringify(record)}\n`);
        return EXIT.done;
      }
      const counts = await countsInOrder(stores, run);
      const consumers = await stores.metadata.consumers(run.id, 10);
      context.stdout.write(
        renderRecord(record, {
          counts,
          consumers: consumers.map((row) => core.runName(row)),
          context,
          core,
        }),
      );
      return EXIT.done;
    }),
};

interface RecordParts {
  readonly counts: readonly {
    readonly step: string;
    readonly status: string;
    readonly count: number;
    readonly cached: number;
  }[];
  readonly consumers: readonly string[];
  readonly context: Context;
  readonly core: Core;
}

function renderRecord(
  record: RunRecord,
  { counts, consumers, context, core: { describeSelector, formatDuration } }: RecordParts,
): string {
  const { paint } = context.stdout;
  const style = { paint, width: context.stdout.columns() };
  const { environment } = record;
  const git =
    environment.git === undefined
      ? ""
      : `, git ${environment.git.sha.slice(0, 10)}${environment.git.branch === undefined ? "" : ` on ${environment.git.branch}`}${environment.git.dirty ? " with changes" : ""}`;
  const facts: readonly (readonly [string, string])[] = [
    ["id", record.id],
    ["flow", `${record.flow.project}/${record.flow.name}`],
    ["tags", record.tags.join(", ")],
    ["created", dateTime(record.createdAt)],
    [
      "by",
      `${environment.actor} on ${environment.host}, node ${environment.node}, millrace ${environment.millrace}${git}`,
    ],
    [
      "code",
      record.codePackage === undefined
        ? ""
        : `${record.codePackage.entry}  ${paint.dim(`sha256:${record.codePackage.digest.slice(0, 16)}`)}`,
    ],
    ["read by", consumers.join(", ")],
  ];
  const took = record.durationMs === undefined ? "" : ` after ${formatDuration(record.durationMs)}`;
  let text = `${statusMark(record.status, paint)} ${paint.bold(record.run)} ${statusWord(record.status, paint)}${took}\n`;
  for (const [name, value] of facts)
    if (value !== "") text += `  ${paint.dim(name.padEnd(8))} ${harmless(value, { colours: true })}\n`;

  const section = (title: string, body: string): void => {
    if (body !== "") text += `\n${paint.bold(title)}\n${body}`;
  };
  const parameters = [
    ...Object.entries(record.parameters).map(([name, value]) => [name, JSON.stringify(value)] as const),
    ...record.secretParameters.map((name) => [name, "(secret)"] as const),
  ];
  section(
    "Parameters",
    parameters.length === 0
      ? ""
      : renderTable([{ title: "NAME" }, { title: "VALUE", shrinkTo: 10 }], parameters, style),
  );
  section(
    "Upstreams",
    record.upstreams.length === 0
      ? ""
      : renderTable(
          [{ title: "NAME" }, { title: "RUN" }, { title: "ASKED FOR", shrinkTo: 10 }, { title: "READ", shrinkTo: 10 }],
          record.upstreams.map((upstream) => [
            upstream.name,
            upstream.run ?? "none",
            describeSelector(upstream.selector),
            upstream.reads.map((read) => read.name).join(", "),
          ]),
          style,
        ),
  );
  section("Steps", stepTable(counts, style));
  section(
    "Artifacts",
    record.artifacts.length === 0
      ? ""
      : renderTable(
          [
            { title: "NAME" },
            { title: "KIND" },
            { title: "CODEC", shrinkTo: 6 },
            { title: "SIZE", align: "right" },
            { title: "SHA-256" },
          ],
          record.artifacts.map((artifact) => [
            artifact.name,
            artifact.kind,
            artifact.codec,
            byteSize(artifact.sizeBytes),
            artifact.digest.slice(0, 16),
          ]),
          style,
        ),
  );
  if (record.failure !== undefined)
    text += `\n${renderTaskError(record.failure.task ?? record.run, record.failure.error, { paint, debug: context.words.includes("--debug"), cwd: context.cwd })}`;
  const next =
    record.failure?.task === undefined
      ? `flow dump ${record.run}     flow logs ${record.run}`
      : `flow logs ${record.failure.task}`;
  return `${text}\n  ${paint.dim(next)}\n`;
}

function stepTable(counts: RecordParts["counts"], style: Parameters<typeof renderTable>[2]): string {
  const steps = new Map<string, Map<string, number>>();
  const cached = new Map<string, number>();
  for (const { step, status, count, cached: taken } of counts) {
    steps.set(step, (steps.get(step) ?? new Map<string, number>()).set(status, count));
    cached.set(step, (cached.get(step) ?? 0) + taken);
  }
  const fromCache = (step: string, total: number): string => {
    const taken = cached.get(step)!;
    return taken === 0 ? "" : total === 1 ? " (from the cache)" : ` (${taken} from the cache)`;
  };
  const sum = (byStatus: ReadonlyMap<string, number>): number =>
    [...byStatus.values()].reduce((total, count) => total + count, 0);
  if (steps.size === 0) return "";
  return renderTable(
    [{ title: "STEP" }, { title: "TASKS", align: "right" }, { title: "STATUS", shrinkTo: 10 }],
    [...steps].map(([step, byStatus]) => [
      step,
      String(sum(byStatus)),
      (byStatus.size === 1
        ? [...byStatus.keys()][0]!
        : [...byStatus].map(([status, count]) => `${count} ${status}`).join(", ")) + fromCache(step, sum(byStatus)),
    ]),
    style,
  );
}

/** Counts in the order in which the steps began, which is how their flow is read. */
async function countsInOrder({ metadata }: OpenStores, run: RunRow): Promise<RecordParts["counts"]> {
  const counts = await metadata.taskCounts(run.sequence);
  const first = new Map<string, number>();
  for (const step of new Set(counts.map((entry) => entry.step))) {
    const [task] = await metadata.tasks({ run: run.sequence, step, limit: 1 });
    first.set(step, task?.sequence ?? Number.POSITIVE_INFINITY);
  }
  return [...counts].sort((left, right) => first.get(left.step)! - first.get(right.step)!);
}

async function showTasks(
  core: Core,
  stores: OpenStores,
  run: RunRow,
  query: { readonly step: string; readonly path?: string },
  invocation: Invocation,
  context: Context,
): Promise<number> {
  const { stdout } = context;
  const { paint } = stdout;
  const tasks: TaskRow[] = [];
  const originOf = core.originNames(stores.metadata);
  let more = 0;
  for await (const task of core.listTasks(stores.metadata, run, query)) {
    if (invocation.isOn("json")) stdout.write(`${JSON.stringify(await taskJson(core, stores, run, task, originOf))}\n`);
    else if (tasks.length < MAX_TASKS) tasks.push(task);
    else more++;
    if (invocation.isOn("json")) tasks.length = 1;
  }
  if (tasks.length === 0) throw await core.noTask(stores.metadata, run, query.step, query.path);
  if (invocation.isOn("json")) return EXIT.done;
  const style = { paint, width: stdout.columns() };
  const took = (task: TaskRow): string =>
    task.finishedAt === undefined ? "" : core.formatDuration(task.finishedAt.getTime() - task.startedAt.getTime());
  const origins = await Promise.all(tasks.map(originOf));
  stdout.write(
    renderTable(
      [
        { title: "  TASK" },
        { title: "STATUS" },
        { title: "TOOK", align: "right" },
        { title: "ITEMS", align: "right" },
        { title: "CHOSE" },
        ...(origins.some((origin) => origin !== undefined) ? [{ title: "FROM" }] : []),
        { title: "ERROR", shrinkTo: 10 },
      ],
      tasks.map((task, index) => [
        `${statusMark(task.status, paint)} ${core.taskName(run, task)}`,
        statusWord(task.status, paint),
        took(task),
        task.fanOut === undefined ? "" : String(task.fanOut),
        task.choice ?? "",
        ...(origins.some((origin) => origin !== undefined) ? [describeOrigin(origins[index])] : []),
        harmless(task.error?.message.split("\n", 1)[0] ?? "", { colours: false }),
      ]),
      style,
    ),
  );
  if (more > 0) stdout.write(paint.dim(`… ${more} more tasks; --json lists them all\n`));
  const [only] = tasks;
  if (tasks.length === 1 && only !== undefined) {
    const own = new Set((await stores.metadata.ownArtifacts(only.sequence)).map((row) => row.name));
    const visible = await stores.metadata.visibleArtifacts(only.sequence);
    if (visible.length > 0) {
      const columns = [
        { title: "NAME" },
        { title: "SET HERE" },
        { title: "CODEC", shrinkTo: 6 },
        { title: "SIZE", align: "right" },
        { title: "SHA-256" },
      ] as const;
      stdout.write(
        `\n${paint.bold("Artifacts")}\n${renderTable(
          columns,
          visible.map((row) => [
            row.name,
            own.has(row.name) ? "yes" : "",
            row.codec,
            byteSize(row.sizeBytes),
            row.digest.slice(0, 16),
          ]),
          style,
        )}`,
      );
    }
    if (only.error !== undefined)
      stdout.write(
        `\n${renderTaskError(core.taskName(run, only), only.error, { paint, debug: invocation.isOn("debug"), cwd: context.cwd })}`,
      );
  }
  return EXIT.done;
}

/** `the cache: Train/12/fit/3` */
function describeOrigin(origin: NamedOrigin | undefined): string {
  if (origin === undefined) return "";
  return origin.kind === "cache" ? `the cache: ${origin.task}` : origin.task;
}

async function taskJson(
  core: Core,
  stores: OpenStores,
  run: RunRow,
  task: TaskRow,
  originOf: (task: TaskRow) => Promise<NamedOrigin | undefined>,
): Promise<Record<string, unknown>> {
  const { step, path, attempt, status, startedAt, finishedAt, error, fanOut, choice } = task;
  return {
    task: core.taskName(run, task),
    step,
    path,
    attempt,
    status,
    startedAt,
    finishedAt,
    fanOut,
    choice,
    error,
    origin: await originOf(task),
    artifacts: await stores.metadata.visibleArtifacts(task.sequence),
  };
}
