/** `flow show RUN/STEP` and `flow show RUN/STEP/PATH`: tasks, and of one task its attempts and artifacts. */
import type { OpenStores, RunRow, TaskRow } from "@millrace/core/internal";
import type { Core } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { renderTaskError } from "../render/errors.ts";
import { statusMark, statusWord } from "../render/status.ts";
import { renderTable } from "../render/table.ts";
import { byteSize, dateTime, plain } from "../render/text.ts";
import type { Context, Invocation } from "./command.ts";

/** Tasks listed of one step; the rest is counted. */
const MAX_TASKS = 200;

/** What the page is made from. */
interface Page {
  readonly core: Core;
  readonly stores: OpenStores;
  readonly run: RunRow;
  readonly context: Context;
  readonly isDebug: boolean;
}

/** A task, which is its newest attempt, with all of its attempts. */
interface Task {
  readonly newest: TaskRow;
  readonly attempts: readonly TaskRow[];
}

export async function showTasks(
  core: Core,
  stores: OpenStores,
  run: RunRow,
  query: { readonly step: string; readonly path?: string },
  invocation: Invocation,
  context: Context,
): Promise<number> {
  const page: Page = { core, stores, run, context, isDebug: invocation.isOn("debug") };
  const { stdout } = context;
  const origins = new Origins(page);
  const tasks: Task[] = [];
  let total = 0;
  for await (const task of tasksOf(page, query)) {
    total++;
    if (invocation.isOn("json")) stdout.write(`${JSON.stringify(await taskJson(page, task, origins))}\n`);
    else if (tasks.length < MAX_TASKS) tasks.push(task);
  }
  if (total === 0) throw await core.noTask(stores.metadata, run, query.step, query.path);
  if (invocation.isOn("json")) return EXIT.done;
  stdout.write(await taskTable(page, tasks, origins));
  if (total > tasks.length)
    stdout.write(stdout.paint.dim(`… ${total - tasks.length} more tasks; --json lists them all\n`));
  if (total === 1) stdout.write(await oneTask(page, tasks[0]!));
  return EXIT.done;
}

async function* tasksOf(
  { core, stores, run }: Page,
  query: { readonly step: string; readonly path?: string },
): AsyncGenerator<Task> {
  let attempts: TaskRow[] = [];
  for await (const row of core.listAttempts(stores.metadata, run, query)) {
    if (attempts.length > 0 && attempts[0]!.path !== row.path) {
      yield { newest: attempts.at(-1)!, attempts };
      attempts = [];
    }
    attempts.push(row);
  }
  if (attempts.length > 0) yield { newest: attempts.at(-1)!, attempts };
}

async function taskTable(page: Page, tasks: readonly Task[], origins: Origins): Promise<string> {
  const { core, run, context } = page;
  const { paint, columns } = context.stdout;
  const rows: string[][] = [];
  for (const { newest, attempts } of tasks) {
    rows.push([
      `${statusMark(newest.status, paint)} ${core.taskName(run, newest)}`,
      statusWord(newest.status, paint),
      attempts.length > 1 ? String(attempts.length) : "",
      took(core, newest),
      newest.fanOut === undefined ? "" : String(newest.fanOut),
      plain(newest.choice ?? ""),
      (await origins.of(newest))?.text ?? "",
      reasonOf(newest),
    ]);
  }
  return renderTable(
    [
      { title: "  TASK" },
      { title: "STATUS" },
      { title: "ATTEMPTS", align: "right" },
      { title: "TOOK", align: "right" },
      { title: "ITEMS", align: "right" },
      { title: "CHOSE" },
      { title: "TAKEN OVER FROM", shrinkTo: 14 },
      { title: "REASON", shrinkTo: 10 },
    ],
    rows,
    { paint, width: columns() },
  );
}

async function oneTask(page: Page, { newest, attempts }: Task): Promise<string> {
  const { core, run, context, isDebug } = page;
  const { paint } = context.stdout;
  const style = { paint, width: context.stdout.columns() };
  let text = "";
  if (attempts.length > 1) {
    const rows = attempts.map((row) => [
      `${statusMark(row.status, paint)} ${row.attempt}`,
      statusWord(row.status, paint),
      dateTime(row.startedAt),
      took(core, row),
      reasonOf(row),
    ]);
    const columns = [
      { title: "  ATTEMPT" },
      { title: "STATUS" },
      { title: "STARTED" },
      { title: "TOOK", align: "right" },
      { title: "REASON", shrinkTo: 10 },
    ] as const;
    text += `\n${paint.bold("Attempts")}\n${renderTable(columns, rows, style)}`;
  }
  text += await artifactTable(page, newest);
  if (newest.error !== undefined) {
    const how = newest.status === "caught" ? { verb: "failed and was caught" } : {};
    text += `\n${renderTaskError(core.taskName(run, newest), newest.error, { paint, debug: isDebug, cwd: context.cwd }, how)}`;
  }
  const name = core.taskName(run, newest);
  const next = [`flow logs ${name}`, ...(newest.error === undefined ? [] : [`flow step ${name}`])];
  return `${text}\n  ${paint.dim(next.join("     "))}\n`;
}

async function artifactTable({ stores, context }: Page, task: TaskRow): Promise<string> {
  const { paint } = context.stdout;
  const visible = await stores.metadata.visibleArtifacts(task.sequence);
  if (visible.length === 0) return "";
  const own = new Set((await stores.metadata.ownArtifacts(task.sequence)).map((row) => row.name));
  const anyGone = visible.some(({ gone }) => gone !== undefined);
  const columns = [
    { title: "NAME" },
    { title: "SET HERE" },
    { title: "CODEC", shrinkTo: 6 },
    { title: "SIZE", align: "right" as const },
    { title: "SHA-256" },
    ...(anyGone ? [{ title: "GONE", shrinkTo: 10 } as const] : []),
  ];
  const rows = visible.map((row) => [
    plain(row.name),
    own.has(row.name) ? "yes" : "",
    plain(row.codec),
    byteSize(row.sizeBytes),
    row.digest.slice(0, 16),
    ...(anyGone ? [row.gone === undefined ? "" : `${row.gone.reason}, gone since ${dateTime(row.gone.at)}`] : []),
  ]);
  return `\n${paint.bold("Artifacts")}\n${renderTable(columns, rows, { paint, width: context.stdout.columns() })}`;
}

/** Where tasks come from that were not executed in this run. */
class Origins {
  readonly #page: Page;
  readonly #runs = new Map<RunRow["sequence"], RunRow | undefined>();

  constructor(page: Page) {
    this.#page = page;
  }

  /** `the cache: Train/12/fit/3` */
  async of({
    origin,
  }: TaskRow): Promise<{ readonly kind: string; readonly task?: string; readonly text: string } | undefined> {
    if (origin === undefined) return undefined;
    const { core, stores } = this.#page;
    const task = await stores.metadata.task(origin.task);
    const run = task === undefined ? undefined : await this.#run(task.run);
    if (task === undefined || run === undefined)
      return { kind: origin.kind, text: `${origin.kind === "cache" ? "the cache" : origin.kind}: deleted` };
    const name = core.taskName(run, task);
    return {
      kind: origin.kind,
      task: name,
      text: origin.kind === "cache" ? `the cache: ${name}` : `${name} (${origin.kind})`,
    };
  }

  async #run(sequence: RunRow["sequence"]): Promise<RunRow | undefined> {
    if (!this.#runs.has(sequence)) this.#runs.set(sequence, await this.#page.stores.metadata.run(sequence));
    return this.#runs.get(sequence);
  }
}

function took(core: Core, task: TaskRow): string {
  const durationMs = durationOf(task);
  return durationMs === undefined ? "" : core.formatDuration(durationMs);
}

function durationOf({ durationMs, startedAt, finishedAt }: TaskRow): number | undefined {
  return durationMs ?? (finishedAt === undefined ? undefined : Math.max(0, finishedAt.getTime() - startedAt.getTime()));
}

/** The first line of the error, or who cancelled it. */
function reasonOf({ error, cancelledBy }: TaskRow): string {
  return plain((error?.message ?? cancelledBy ?? "").split("\n", 1)[0]!);
}

async function taskJson(page: Page, { newest, attempts }: Task, origins: Origins): Promise<Record<string, unknown>> {
  const { core, stores, run } = page;
  const { step, path, fanOut, choice, valueReads } = newest;
  const origin = await origins.of(newest);
  return {
    task: core.taskName(run, newest),
    step,
    path,
    ...attemptJson(newest),
    fanOut,
    choice,
    valueReads,
    origin: origin === undefined ? undefined : { kind: origin.kind, task: origin.task },
    attempts: attempts.map(attemptJson),
    artifacts: await stores.metadata.visibleArtifacts(newest.sequence),
  };
}

function attemptJson(row: TaskRow): Record<string, unknown> {
  const { attempt, status, startedAt, finishedAt, error, cancelledBy } = row;
  return { attempt, status, startedAt, finishedAt, durationMs: durationOf(row), error, cancelledBy };
}
