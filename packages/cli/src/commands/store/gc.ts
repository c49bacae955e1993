/** `flow store gc`: deletes runs that a policy lets go, and sweeps what nothing names. */
import type { GcOptions, GcProgress, GcReport, KeptRun, OpenStores, Problem } from "@millrace/core/internal";
import type { Core } from "../../core.ts";
import { EXIT } from "../../exit-code.ts";
import { freshLine } from "../../render/progress.ts";
import { renderTable } from "../../render/table.ts";
import { byteSize, count, dateTime, harmless } from "../../render/text.ts";
import { type Command, type Context, DEBUG_FLAG, type Invocation, JSON_FLAG, STORE_FLAG } from "../command.ts";
import { withStores } from "../with-stores.ts";

const STATUSES = ["succeeded", "failed", "cancelled", "lost"] as const;
/** Kept runs that are spelt out; `--json` lists them all. */
const MAX_KEPT = 50;
const REDRAW_MS = 200;

export const storeGcCommand: Command = {
  usage: "store gc [--older-than 90d] [--keep-last N] [--status LIST] [--flow FLOW] [--tag PATTERN …] [--dry-run]",
  positionals: [],
  flags: [
    {
      name: "older-than",
      type: "text",
      placeholder: "TIME",
      help: "Delete only runs that ended so long ago: 90d, 12h",
    },
    {
      name: "keep-last",
      type: "number",
      placeholder: "N",
      min: 0,
      help: "Not the newest N of each flow, among those that are meant",
    },
    {
      name: "status",
      type: "text",
      placeholder: "LIST",
      help: `Only runs in these states: ${STATUSES.join(",")} (default: all but lost)`,
    },
    { name: "flow", type: "text", placeholder: "FLOW", help: "Only runs of this flow: Train or project/Train" },
    {
      name: "tag",
      type: "list",
      placeholder: "PATTERN",
      notEmpty: "a tag, or a pattern of tags",
      help: "Only runs with such a tag (test:*), which then does not keep them",
    },
    {
      name: "keep-tag",
      type: "list",
      placeholder: "PATTERN",
      notEmpty: "a tag, or a pattern of tags",
      help: "Only such tags keep a run (default: every tag does)",
    },
    {
      name: "grace",
      type: "text",
      placeholder: "TIME",
      help: "How long a value is marked before it is deleted (default 1d)",
    },
    { name: "reason", type: "text", placeholder: "TEXT", help: "Why; kept with each deleted run" },
    {
      name: "vacuum",
      type: "boolean",
      help: "Write the database anew, so that it becomes smaller; no run may be under way",
    },
    { name: "dry-run", type: "boolean", help: "Say what would be done, and change nothing" },
    { ...JSON_FLAG, help: "Print the report as one JSON object" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["store gc --dry-run", "sweep what nothing names; without a condition no run is deleted"],
    ["store gc --older-than 90d --keep-last 10 --status failed,cancelled", ""],
    ["store gc --tag 'test:*' --older-than 7d", "old runs whose tags are all like test:*"],
  ],
  notes:
    "All conditions must hold. Kept in any case: runs under way, runs that hold a tag, runs that a kept run reads from, and " +
    "parents and children of kept runs. Values are deleted in two steps: marked now, deleted by a later call after the grace.",
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const options = await readOptions(core, stores, invocation, context);
      const progress = createGcProgress(context);
      const report = await core
        .collectGarbage(stores, { ...options, onProgress: progress.apply })
        .finally(() => progress.end());
      const { stdout } = context;
      stdout.write(
        invocation.isOn("json") ? `${JSON.stringify(report)}\n` : renderReport(core, report, context, options.graceMs),
      );
      return EXIT.done;
    }),
};

async function readOptions(
  core: Core,
  stores: OpenStores,
  invocation: Invocation,
  context: Context,
): Promise<Omit<GcOptions, "onProgress">> {
  const problems: Problem[] = [];
  const duration = (flag: string): number | undefined => {
    const value = invocation.text(flag);
    const ms = value === undefined ? undefined : core.parseDurationMs(value);
    if (value !== undefined && ms === undefined)
      problems.push({
        code: "FLOW_CLI_BAD_VALUE",
        message: `"--${flag}" is "${value}" and must be a length of time`,
        hint: "Write a number and a unit: 90d, 12h, 30m, 10s",
      });
    return ms;
  };
  const olderThanMs = duration("older-than");
  const graceMs = duration("grace");
  const statuses = invocation
    .text("status")
    ?.split(",")
    .map((status) => status.trim());
  for (const status of statuses ?? [])
    if (!(STATUSES as readonly string[]).includes(status))
      problems.push({
        code: "FLOW_CLI_BAD_VALUE",
        message: `"--status" names "${status}" and may name ${STATUSES.join(", ")}`,
        hint: "Separate them by commas: --status failed,cancelled",
      });
  const flow = invocation.text("flow");
  const identified = flow === undefined ? undefined : await core.identifyFlow(stores.metadata, core.flowNameOf(flow));
  if (identified?.kind === "ambiguous") problems.push(identified.problem);
  if (identified?.kind === "unknown")
    problems.push({
      code: "FLOW_LINEAGE_NO_RUN",
      message: `The store has no run of "${flow}"`,
      hint: "List the runs with flow runs",
    });
  if (problems.length > 0) throw core.problemsError("Cannot collect garbage", problems);

  const { actor, host } = core.resolveConfig({ cwd: context.cwd, environment: context.environment });
  const reason = invocation.text("reason");
  const keepLast = invocation.number("keep-last");
  const tags = invocation.list("tag");
  const keepTags = invocation.list("keep-tag");
  return {
    ...(olderThanMs === undefined ? {} : { olderThanMs }),
    ...(graceMs === undefined ? {} : { graceMs }),
    ...(statuses === undefined ? {} : { statuses: statuses as unknown as (typeof STATUSES)[number][] }),
    ...(identified?.kind === "known" ? { flow: identified.flow } : {}),
    ...(keepLast === undefined ? {} : { keepLast }),
    ...(tags.length === 0 ? {} : { tags }),
    ...(keepTags.length === 0 ? {} : { keepTags }),
    dryRun: invocation.isOn("dry-run"),
    vacuum: invocation.isOn("vacuum"),
    by: { actor, host, via: "flow store gc", ...(reason === undefined ? {} : { reason }) },
    now: context.now,
  };
}

/** What is being done, on one line of a terminal; elsewhere nothing. */
function createGcProgress({ stderr, now }: Context) {
  let shownAt = Number.NEGATIVE_INFINITY;
  return {
    apply({ doing, done, of }: GcProgress): void {
      if (!stderr.isTerminal || now() - shownAt < REDRAW_MS) return;
      shownAt = now();
      const how = done === undefined ? "" : of === undefined ? ` ${done}` : ` ${done}/${of}`;
      stderr.write(`${freshLine(stderr)}${stderr.paint.dim(`${doing}${how} …`)}`);
    },
    end(): void {
      if (shownAt !== Number.NEGATIVE_INFINITY) stderr.write(freshLine(stderr));
    },
  };
}

function renderReport(core: Core, report: GcReport, context: Context, graceMs: number | undefined): string {
  const { paint } = context.stdout;
  const { runs, expired, marked, values, files, unfinished, named, isDryRun } = report;
  const deletedWhen =
    graceMs === 0 ? "and deleted by this call" : `deleted by a call after ${dateTime(report.deletedAfter)}`;
  const rows: (readonly [string, number, number | undefined, string])[] = [
    ["runs deleted", runs.count, undefined, runs.tasks === 0 ? "" : count(runs.tasks, "task")],
    ["values past their time", expired.count, expired.bytes, "given up; their digests stay"],
    ["values marked", marked.count, marked.bytes, deletedWhen],
    ["values deleted", values.count, values.bytes, "in the database"],
    ["files deleted", files.count, files.bytes, "of values without a record"],
    ["unfinished files and uploads deleted", unfinished.count, unfinished.bytes, "of writers that are gone"],
  ];
  let text = keptText(core, report.kept, context);
  text += renderTable(
    [
      { title: "" },
      { title: "COUNT", align: "right" },
      { title: "BYTES", align: "right" },
      { title: "", shrinkTo: 10 },
    ],
    rows.map(([what, amount, bytes, note]) => [
      what,
      String(amount),
      bytes === undefined || amount === 0 ? "" : byteSize(bytes),
      amount === 0 ? "" : note,
    ]),
    { paint, width: context.stdout.columns() },
  );
  if (named.count > 0)
    text += `${paint.yellow("!")} ${count(named.count, "file")} (${byteSize(named.bytes)}) ${named.count === 1 ? "is" : "are"} left: runs name the values, whose own records are lost\n`;
  const unfit = report.kept.some(({ because }) => because.some(({ kind }) => kind === "unfit"));
  if (report.filesLeft !== undefined)
    text += `${paint.yellow("!")} No file was deleted: runs of an older version of Millrace are under way\n`;
  if (report.uploadsUnlisted !== undefined)
    text += `${paint.yellow("!")} Unfinished uploads could not be looked for: ${harmless(report.uploadsUnlisted, { colours: false })}\n`;
  if (report.freeBytes > 0)
    text += paint.dim(
      `${byteSize(report.freeBytes)} of the database are free and used again; flow store gc --vacuum makes it smaller\n`,
    );
  const done = isDryRun ? "Nothing was changed" : "Done";
  const freed = byteSize(values.bytes + files.bytes + unfinished.bytes);
  return `${text}${paint.green("✓")} ${paint.bold(done)}: ${count(runs.count, "run")} and ${freed} ${isDryRun ? "would be" : "are"} deleted\n${named.count > 0 ? "  flow store repair --dry-run\n" : unfit ? "  flow store verify\n" : ""}`;
}

function keptText(core: Core, kept: readonly KeptRun[], context: Context): string {
  const { paint } = context.stdout;
  if (kept.length === 0) return "";
  let text = `${paint.bold("Kept, though the conditions fit")}\n`;
  for (const { run, because } of kept.slice(0, MAX_KEPT)) {
    const reasons = because.map((reason) => harmless(core.describeKeepReason(reason), { colours: false }));
    text += `  ${run} ${paint.dim(reasons.join(", "))}\n`;
  }
  if (kept.length > MAX_KEPT) text += paint.dim(`  … ${kept.length - MAX_KEPT} more; --json lists them all\n`);
  return `${text}\n`;
}
