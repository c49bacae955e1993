/** `flow store copy FROM TO`: a store at another place, each value checked on its way. */
import type { CopyReport } from "@millrace/core/internal";
import { type Core, loadCore } from "../../core.ts";
import { EXIT } from "../../exit-code.ts";
import type { Paint } from "../../render/output.ts";
import { byteSize, count, harmless } from "../../render/text.ts";
import { type Command, DEBUG_FLAG, JSON_FLAG } from "../command.ts";
import { TransferLine, untilSignal } from "../transfer-line.ts";

/** Damaged values that are spelt out; the rest is counted. */
const MAX_DAMAGED = 50;

export const storeCopyCommand: Command = {
  usage: "store copy FROM TO [--dry-run]",
  positionals: [
    { name: "FROM", help: "A store: a folder, or the URL of a bucket", required: true },
    { name: "TO", help: "Where to: nothing, or an older copy of the same store", required: true },
  ],
  flags: [
    { name: "dry-run", type: "boolean", help: "Say what would be copied, and write nothing" },
    { ...JSON_FLAG, help: "Print the report as one JSON object" },
    DEBUG_FLAG,
  ],
  examples: [
    ["store copy .millrace s3://team-data/models", "and again later, for what is new"],
    ["store copy s3://team-data/models /backup/models", ""],
  ],
  notes:
    "Copies records, tags, policies, code and values; webhooks stay behind. Each value is hashed on its way, and what is there already is skipped: " +
    "a copy that was stopped goes on when it is typed again. Runs may go on in FROM meanwhile. Exit codes: 0 all of it, 4 values of FROM are damaged and were not copied.",
  async run(invocation, context) {
    const core = await loadCore();
    const [from, to] = invocation.positionals as [string, string];
    const isJson = invocation.isOn("json");
    const line = new TransferLine(context, "copied", isJson);
    const report = await untilSignal(
      context,
      ({ signal }) =>
        core.copyStore({
          from,
          to,
          cwd: context.cwd,
          environment: context.environment,
          isDryRun: invocation.isOn("dry-run"),
          onProgress: (progress) => {
            if (progress.kind === "values") line.show(progress);
            else line.say(`${progress.done} of ${count(progress.total, "run")} written to the bucket`);
          },
          signal,
        }),
      "Stopped: what was copied stays there; the same command goes on with it",
    ).finally(() => line.end());
    if (typeof report === "number") return report;
    const { stdout } = context;
    stdout.write(isJson ? `${JSON.stringify(report)}\n` : renderReport(core, report, stdout.paint));
    return report.damaged.length > 0 ? EXIT.damaged : EXIT.done;
  },
};

function renderReport(core: Core, report: CopyReport, paint: Paint): string {
  const { isDryRun, copied, skipped, damaged, runs, values, underWay } = report;
  const [from, to] = [report.from, report.to].map((place) => core.shellWord(place));
  const lines: string[] = [];
  for (const { digest, why, uses } of damaged.slice(0, MAX_DAMAGED)) {
    const owner = uses.length === 0 ? digest : `${harmless(uses[0]!, { colours: false })} (${digest})`;
    const more = uses.length > 1 ? `, and ${uses.length - 1} more` : "";
    lines.push(`${paint.red("✗")} Not copied: ${owner}${more}: ${why}`);
  }
  if (damaged.length > MAX_DAMAGED)
    lines.push(paint.dim(`  … ${damaged.length - MAX_DAMAGED} more; --json lists them all`));
  const there = skipped.values === 0 ? "" : `, ${count(skipped.values, "file")} there already`;
  lines.push(
    `  ${count(copied.values, "file")} of values${isDryRun ? " to copy" : ""}, ${byteSize(copied.bytes)}${there}`,
  );
  if (underWay > 0)
    lines.push(
      paint.dim(
        `  ${count(underWay, "run")} had not ended: copy again afterwards for what ${underWay === 1 ? "it" : "they"} will leave`,
      ),
    );
  const what = `${count(runs, "run")} with ${count(values, "value")}`;
  if (isDryRun)
    lines.push(`${paint.green("✓")} ${paint.bold(`${what} would be copied`)}`, `  flow store copy ${from} ${to}`);
  else if (damaged.length > 0)
    lines.push(
      `${paint.yellow("!")} ${paint.bold(`${what} copied`)}, but for ${count(damaged.length, "damaged value")}`,
      `  flow store verify --read-data --store ${from}`,
    );
  else lines.push(`${paint.green("✓")} ${paint.bold(`${what} copied`)}`, `  flow runs --store ${to}`);
  return `${lines.join("\n")}\n`;
}
