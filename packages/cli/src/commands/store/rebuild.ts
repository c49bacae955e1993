/** `flow store rebuild`: the records of a bucket's store, on a machine that has none, or none that are good. */
import type { RebuiltStoreReport } from "@millrace/core/internal";
import { type Core, loadCore } from "../../core.ts";
import { EXIT } from "../../exit-code.ts";
import type { Paint } from "../../render/output.ts";
import { count, harmless } from "../../render/text.ts";
import { type Command, DEBUG_FLAG, JSON_FLAG, STORE_FLAG } from "../command.ts";
import { TransferLine, untilSignal } from "../transfer-line.ts";
import { storeOf } from "./verify.ts";

/** What is spelt out of what only the records of before had. */
const MAX_LOST = 20;

export const storeRebuildCommand: Command = {
  usage: "store rebuild [--force] [--skip-damaged]",
  positionals: [],
  flags: [
    { name: "force", type: "boolean", help: "Also where there are records: they are kept beside the new ones" },
    {
      name: "skip-damaged",
      type: "boolean",
      help: "Leave runs out whose objects are damaged or missing, and build all others",
    },
    { ...JSON_FLAG, help: "Print the report as one JSON object" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["store rebuild --store s3://team-data/models", "on a new machine"],
    ["store rebuild --skip-damaged", "what is whole, when the bucket has lost something"],
  ],
  notes:
    "Reads the bucket and writes nothing there. Runs keep their numbers, tags and ids; webhooks are not in a bucket. Values are fetched when somebody reads them. Exit codes: 0 all of it, 4 runs were left out by --skip-damaged.",
  async run(invocation, context) {
    const core = await loadCore();
    const isJson = invocation.isOn("json");
    const line = new TransferLine(context, "read", isJson);
    const report = await untilSignal(context, ({ signal }) =>
      core.rebuildStore({
        ...storeOf(invocation, context),
        isForced: invocation.isOn("force"),
        skipDamaged: invocation.isOn("skip-damaged"),
        onProgress: ({ runs, totalRuns }) => line.say(`${runs} of ${count(totalRuns, "run")} read`),
        signal,
      }),
    ).finally(() => line.end());
    if (typeof report === "number") return report;
    const { stdout } = context;
    const store = invocation.text("store");
    stdout.write(isJson ? `${JSON.stringify(report)}\n` : renderReport(core, report, stdout.paint, store));
    return report.leftOut.length > 0 ? EXIT.damaged : EXIT.done;
  },
};

function renderReport(core: Core, report: RebuiltStoreReport, paint: Paint, store: string | undefined): string {
  const { runs, tasks, deleted, unread, leftOut, place, folder, keptAs, lost } = report;
  const lines = [
    `${leftOut.length === 0 ? paint.green("✓") : paint.yellow("!")} ${paint.bold(`${count(runs, "run")} with ${count(tasks, "task")}`)} of ${place}`,
    `  records in ${folder}`,
  ];
  if (deleted > 0) lines.push(paint.dim(`  ${count(deleted, "deleted run")} stay${deleted === 1 ? "s" : ""} deleted`));
  if (keptAs !== undefined) lines.push(`  the records of before are kept as ${keptAs}`);
  for (const run of unread.slice(0, MAX_LOST))
    lines.push(
      `${paint.yellow("!")} ${harmless(run, { colours: false })} is listed as deleted: the bucket has no records of it, only that it was begun`,
    );
  if (unread.length > MAX_LOST) lines.push(paint.dim(`  … ${unread.length - MAX_LOST} more; --json lists them all`));
  for (const { run, why, usedBy } of leftOut.slice(0, MAX_LOST)) {
    lines.push(
      `${paint.red("✗")} ${harmless(`${run} was left out and is listed as deleted: ${why}`, { colours: false })}`,
    );
    if (usedBy.length > 0) lines.push(paint.dim(harmless(`    used by ${usedBy.join(", ")}`, { colours: false })));
  }
  if (leftOut.length > MAX_LOST) lines.push(paint.dim(`  … ${leftOut.length - MAX_LOST} more; --json lists them all`));
  for (const what of lost.slice(0, MAX_LOST))
    lines.push(`${paint.yellow("!")} only they have ${harmless(what, { colours: false })}`);
  if (lost.length > MAX_LOST) lines.push(paint.dim(`  … ${lost.length - MAX_LOST} more; --json lists them all`));
  lines.push(`  flow runs${store === undefined ? "" : ` --store ${core.shellWord(store)}`}`);
  return `${lines.join("\n")}\n`;
}
