/** `flow show SELECTOR`: a run with what it read and left; with a step, its tasks; with a task, its attempts and artifacts. */
import type { DeletedRecord, FigureFacts, OpenStores, RunRecord, RunRow } from "@millrace/core/internal";
import type { Core } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { renderTaskError } from "../render/errors.ts";
import { figureText } from "../render/figure.ts";
import { renderRequests } from "../render/run-lines.ts";
import { statusMark, statusWord } from "../render/status.ts";
import { renderTable } from "../render/table.ts";
import { byteSize, count, dateTime, plain } from "../render/text.ts";
import { tookText } from "../render/took.ts";
import { type Command, type Context, DEBUG_FLAG, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { metricTable, readMetrics, type ShownMetric } from "./show-metrics.ts";
import { showTasks } from "./show-tasks.ts";
import { selectRun, withStores } from "./with-stores.ts";

/** Runs listed that steps of a run have started; the rest is counted. */
const MAX_CHILDREN = 50;
/** Pictures that are looked at: each costs reading its beginning. */
const MAX_FIGURES = 100;

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
      const metrics = await readMetrics(stores, run);
      const consumers = await stores.metadata.consumers(run.id, 10);
      context.stdout.write(
        renderRecord(record, {
          counts,
          metrics,
          figures: await readFigures(core, stores, record),
          consumers: consumers.map((row) => core.runName(row)),
          context,
          core,
        }),
      );
      return EXIT.done;
    }),
};

interface RecordParts {
  readonly counts: Awaited<ReturnType<OpenStores["metadata"]["taskCounts"]>>;
  readonly metrics: readonly ShownMetric[];
  /** By name of the artifact. */
  readonly figures: ReadonlyMap<string, FigureFacts>;
  readonly consumers: readonly string[];
  readonly context: Context;
  readonly core: Core;
}

function renderRecord(
  record: RunRecord,
  { counts, metrics, figures, consumers, context, core: { describeSelector, formatDuration } }: RecordParts,
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
    ["asked", renderRequests(record, paint).join("; ")],
    ["signed", signedText(record)],
    ["created", dateTime(record.createdAt)],
    [
      "by",
      `${environment.actor} on ${environment.host}, node ${environment.node}, millrace ${environment.millrace}${git}`,
    ],
    ["on", machineText(environment)],
    ["packages", packagesText(environment)],
    [
      "code",
      record.codePackage === undefined
        ? ""
        : `${record.codePackage.entry}  sha256:${record.codePackage.digest.slice(0, 16)}`,
    ],
    ["from", originText(record.origin)],
    ["imported", importText(record.imported)],
    ["inside", record.parent === undefined ? "" : parentText(record.parent)],
    ["runner", executionText(record)],
    ["read by", consumers.join(", ")],
  ];
  const duration = tookText(record, formatDuration);
  const took = duration === undefined ? "" : ` after ${duration}`;
  let text = `${statusMark(record.status, paint)} ${paint.bold(record.run)} ${statusWord(record.status, paint)}${took}\n`;
  for (const [name, value] of facts) if (value !== "") text += `  ${paint.dim(name.padEnd(8))} ${plain(value)}\n`;

  const section = (title: string, body: string): void => {
    if (body !== "") text += `\n${paint.bold(title)}\n${body}`;
  };
  const parameters = [
    ...Object.entries(record.parameters).map(([name, value]) => [plain(name), plain(JSON.stringify(value))] as const),
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
            upstream.deleted === undefined
              ? (upstream.run ?? missingText(upstream))
              : `${upstream.run} (${deletedText(upstream.deleted)})`,
            plain(describeSelector(upstream.selector)),
            plain(upstream.reads.map((read) => read.name).join(", ")),
          ]),
          style,
        ),
  );
  section("Metrics", metricTable(metrics, { ...style, isTerminal: context.stdout.isTerminal }));
  section("Steps", stepTable(counts, style));
  section("Runs of its steps", childTable(record.children, style));
  const anyGone = record.artifacts.some(({ gone }) => gone !== undefined);
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
            ...(figures.size > 0 ? [{ title: "FIGURE", shrinkTo: 10 } as const] : []),
            ...(anyGone ? [{ title: "GONE", shrinkTo: 10 } as const] : []),
          ],
          record.artifacts.map((artifact) => [
            plain(artifact.name),
            artifact.kind,
            plain(artifact.codec),
            byteSize(artifact.sizeBytes),
            artifact.digest.slice(0, 16),
            ...(figures.size > 0 ? [figureTextOf(figures.get(artifact.name))] : []),
            ...(anyGone ? [artifact.gone === undefined ? "" : goneText(artifact.gone)] : []),
          ]),
          style,
        ),
  );
  if (record.failure !== undefined)
    text += `\n${renderTaskError(record.failure.task ?? record.run, record.failure.error, { paint, debug: context.words.includes("--debug"), cwd: context.cwd })}`;
  if (record.failure?.task !== undefined) text += collateralText(record);
  return `${text}\n  ${paint.dim(nextSteps(record).join("     "))}\n`;
}

/** Whether it is so, flow signatures says. */
function signedText({ signatures = [] }: RunRecord): string {
  return signatures
    .map(({ keyId, at, actor }) => `${keyId.slice(0, 16)}${at === undefined ? "" : ` (${dateTime(at)} by ${actor})`}`)
    .join(", ");
}

async function readFigures(
  core: Core,
  stores: OpenStores,
  { artifacts }: RunRecord,
): Promise<ReadonlyMap<string, FigureFacts>> {
  const figures = new Map<string, FigureFacts>();
  for (const artifact of artifacts.slice(0, MAX_FIGURES)) {
    const facts = artifact.gone === undefined ? await core.readFigure(stores, artifact) : undefined;
    if (facts !== undefined) figures.set(artifact.name, facts);
  }
  return figures;
}

function figureTextOf(facts: FigureFacts | undefined): string {
  return facts === undefined ? "" : figureText(facts);
}

const MAX_PACKAGES = 8;

/** `linux 6.1.0 x64, glibc 2.36, pnpm 10.4.1, pnpm-lock.yaml sha256:1f0c…` */
function machineText({ os, arch, libc, packageManager, lockfile }: RunRecord["environment"]): string {
  return [
    `${os} ${arch}`,
    ...(libc === undefined ? [] : [libc]),
    ...(packageManager === undefined ? [] : [packageManager]),
    ...(lockfile === undefined ? [] : [`${lockfile.path} sha256:${lockfile.digest.slice(0, 16)}`]),
  ].join(", ");
}

function packagesText({ packages = {} }: RunRecord["environment"]): string {
  const all = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
  const more = all.length - MAX_PACKAGES;
  return [...all.slice(0, MAX_PACKAGES), ...(more > 0 ? [`${more} more`] : [])].join(", ");
}

/** One failure is the cause; what came of it is counted. */
function collateralText({ tasks: { byStatus } }: RunRecord): string {
  const others = (byStatus.failed ?? 0) - 1;
  const cancelled = byStatus.cancelled ?? 0;
  const parts = [
    ...(cancelled > 0 ? [`${count(cancelled, "task")} cancelled because of it`] : []),
    ...(others > 0 ? [`${others} more failed after it`] : []),
  ];
  return parts.length === 0 ? "" : `  ${parts.join(", ")}\n`;
}

function nextSteps({ run, status, failure }: RunRecord): readonly string[] {
  const isOpen = status === "failed" || status === "cancelled" || status === "lost";
  // No output of a task says why the store did not take the values of a run.
  const hasLog = failure === undefined || failure.task !== undefined;
  return [
    ...(status === "succeeded" ? [`flow dump ${run}`] : []),
    ...(hasLog ? [`flow logs ${failure?.task ?? run}${status === "running" ? " --follow" : ""}`] : []),
    ...(isOpen ? [`flow resume ${run}`] : []),
  ];
}

/** An upstream that needed no run; one that was not imported; or one whose record is gone, without a word on its deletion. */
function missingText({ runThere, runId }: RunRecord["upstreams"][number]): string {
  if (runThere !== undefined) return `${runThere} (not here)`;
  return runId === undefined ? "none" : `${runId} (missing)`;
}

/** `deleted 2026-05-04 12:00 by ann on mill: too old` */
function deletedText({ at, actor, host, reason }: DeletedRecord): string {
  return `deleted ${dateTime(at)} by ${actor} on ${host}${reason === undefined ? "" : `: ${reason}`}`;
}

/** `transient, gone since 2026-05-04 12:00` */
function goneText({ reason, at }: { readonly reason: string; readonly at: string }): string {
  return `${reason === "ttl" ? "past its time to live" : reason}, gone since ${dateTime(at)}`;
}

function originText(origin: RunRecord["origin"]): string {
  if (origin === undefined) return "";
  const changed = [...(origin.changedSteps ?? []), ...(origin.changedParameters ?? []).map((name) => `--${name}`)];
  return [
    `fork of ${origin.run ?? origin.runId}${origin.deleted === undefined ? "" : ` (${deletedText(origin.deleted)})`}`,
    ...(origin.fromStep === undefined ? [] : [`from step ${origin.fromStep} on`]),
    ...(changed.length === 0 ? [] : [`changed: ${changed.join(", ")}`]),
  ].join(", ");
}

/** What it is called where it ran, and how it came here. */
function importText(imported: RunRecord["imported"]): string {
  if (imported === undefined) return "";
  const { run, store, at, actor, host } = imported;
  return `${run} of the store ${store}, ${dateTime(at)} by ${actor} on ${host}`;
}

function parentText({ run, runId, step, path }: NonNullable<RunRecord["parent"]>): string {
  return [run ?? runId, step, ...(path === "" ? [] : [path])].join("/");
}

/** Said of a run that was continued, and of one whose end nobody recorded. */
function executionText({ status, execution }: RunRecord): string {
  const { number, host, pid, startedAt, heartbeatAt } = execution;
  const again =
    number > 1 ? `continued ${number === 2 ? "once" : `${number - 1} times`}, last ${dateTime(startedAt)}` : "";
  const where = `process ${pid} on ${host}`;
  if (status === "running") return [again, where].filter((part) => part !== "").join(", ");
  if (status !== "lost") return again;
  return [again, `${where} is gone, last seen ${dateTime(heartbeatAt)}`].filter((part) => part !== "").join(", ");
}

function childTable(children: RunRecord["children"], style: Parameters<typeof renderTable>[2]): string {
  if (children === undefined) return "";
  const rows = children.runs
    .slice(0, MAX_CHILDREN)
    .map(({ step, path, run, status }) => [
      path === "" ? step : `${step}/${path}`,
      run,
      statusWord(status, style.paint),
    ]);
  const more = children.count - rows.length;
  const table = renderTable([{ title: "TASK", shrinkTo: 10 }, { title: "RUN" }, { title: "STATUS" }], rows, style);
  return more > 0 ? `${table}${style.paint.dim(`… ${more} more`)}\n` : table;
}

function stepTable(counts: RecordParts["counts"], style: Parameters<typeof renderTable>[2]): string {
  const steps = Map.groupBy(counts, ({ step }) => step);
  if (steps.size === 0) return "";
  return renderTable(
    [
      { title: "STEP" },
      { title: "TASKS", align: "right" },
      { title: "ATTEMPTS", align: "right" },
      { title: "STATUS", shrinkTo: 10 },
    ],
    [...steps].map(([step, rows]) => {
      const tasks = rows.reduce((sum, row) => sum + row.count, 0);
      const attempts = rows.reduce((sum, row) => sum + row.attempts, 0);
      return [step, String(tasks), attempts === tasks ? "" : String(attempts), statusText(rows, tasks)];
    }),
    style,
  );
}

/** `98 succeeded, 2 caught (40 from the cache)` */
function statusText(rows: RecordParts["counts"], tasks: number): string {
  const cached = rows.reduce((sum, row) => sum + row.cached, 0);
  const text = rows.length === 1 ? rows[0]!.status : rows.map((row) => `${row.count} ${row.status}`).join(", ");
  return cached === 0 ? text : `${text} (${tasks === 1 ? "" : `${cached} `}from the cache)`;
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
