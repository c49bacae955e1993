/** `flow store repair`: mends what follows from other records, puts broken values aside, and says what each run has lost. */
import type { Loss, RepairReport } from "@millrace/core/internal";
import { loadCore } from "../../core.ts";
import type { Paint } from "../../render/output.ts";
import { count, harmless } from "../../render/text.ts";
import { createVerifyProgress } from "../../render/verify-progress.ts";
import { type Command, type Context, DEBUG_FLAG, type Invocation, JSON_FLAG, STORE_FLAG } from "../command.ts";
import { copyLines, exitCode, FindingLines, renderVerdict, storeOf } from "./verify.ts";

/** Runs and things done that are spelt out; the rest is counted. */
const MAX_SHOWN = 50;

export const storeRepairCommand: Command = {
  usage: "store repair [--dry-run]",
  positionals: [],
  flags: [
    { name: "dry-run", type: "boolean", help: "Say what would be done, and do nothing" },
    { ...JSON_FLAG, help: "Print one JSON object a finding, then one with what was done" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["store repair --dry-run", "what would be done"],
    ["store repair", ""],
  ],
  notes:
    "Reads every value. The database is copied before it is changed; broken values are moved to quarantine/ in the store, and nothing is deleted. Exit codes: 0 the store is whole now, 4 damage is left that a run or a copy mends.",
  run: repair,
};

async function repair(invocation: Invocation, context: Context): Promise<number> {
  const core = await loadCore();
  const isJson = invocation.isOn("json");
  const lines = new FindingLines(context, isJson);
  const progress = createVerifyProgress(context);
  try {
    const report = await core.repairStore(storeOf(invocation, context), {
      dryRun: invocation.isOn("dry-run"),
      onFinding: (finding) => {
        progress.clear();
        lines.add(finding);
      },
      onProgress: progress.show,
    });
    progress.clear();
    const { stdout } = context;
    stdout.write(
      isJson
        ? `${JSON.stringify({ kind: "summary", ...report })}\n`
        : lines.rest() + renderRepair(report, stdout.paint),
    );
    return exitCode(report.after);
  } finally {
    progress.clear();
  }
}

function renderRepair(report: RepairReport, paint: Paint): string {
  const { done, quarantined, restored, losses, copy, isDryRun, left } = report;
  const lines: string[] = [];
  if (copy !== undefined) lines.push(`  kept the database as it was in "${copy}"`);
  for (const { file } of quarantined.slice(0, MAX_SHOWN)) lines.push(`  put aside as "${file}"`);
  if (quarantined.length > MAX_SHOWN) lines.push(`  … and ${quarantined.length - MAX_SHOWN} more`);
  if (restored.length > 0)
    lines.push(`  put back ${count(restored.length, "value")} that ${restored.length === 1 ? "is" : "are"} whole`);
  for (const what of done.slice(0, MAX_SHOWN)) lines.push(`  ${harmless(what, { colours: false })}`);
  if (done.length > MAX_SHOWN) lines.push(`  … and ${done.length - MAX_SHOWN} more`);
  if (lines.length > 0) lines.unshift(paint.bold(isDryRun ? "Would be done:" : "Done:"));
  for (const loss of losses.slice(0, MAX_SHOWN)) lines.push(...lossLines(loss, paint));
  if (losses.length > MAX_SHOWN)
    lines.push(paint.dim(`… ${losses.length - MAX_SHOWN} more runs; --json lists them all`));
  // Where nothing is done, what is left stands just above.
  if (left.length > 0 && quarantined.length + restored.length + done.length > 0) {
    lines.push(paint.bold("Left, which no repair mends:"));
    for (const { id, evidence } of left.slice(0, MAX_SHOWN))
      lines.push(`  ${paint.dim(id)}  ${harmless(evidence, { colours: false })}`);
    if (left.length > MAX_SHOWN)
      lines.push(paint.dim(`  … ${left.length - MAX_SHOWN} more; flow store verify lists them`));
  }
  const verdict = renderVerdict(report.after, paint);
  const { copy: faults } = report.after.remedies;
  const copies = faults > 0 ? `${copyLines(faults, report.needCopy).join("\n")}\n` : "";
  const next = isDryRun && lines.length > 0 && done.length > 0 ? "  flow store repair\n" : "";
  return `${lines.length === 0 ? "" : `${lines.join("\n")}\n`}${verdict}${next}${copies}`;
}

function lossLines({ run, lost, digests, commands, advice }: Loss, paint: Paint): readonly string[] {
  const more = digests.length > lost.length ? `, and ${digests.length - lost.length} more` : "";
  return [
    `${paint.bold(run ?? "Values without a run")} has lost ${harmless(lost.join(", "), { colours: false })}${more}`,
    `  ${paint.dim(advice)}`,
    ...commands.map((command) => `  ${command}`),
  ];
}
