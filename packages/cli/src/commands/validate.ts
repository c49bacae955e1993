/**
 * `flow validate [SELECTOR]`: integrity (what was read is whole and is what was stored) apart from currency (the selector
 * would mean another run today). A failed check gives exit code 1.
 */
import type { ValidationReport } from "@millrace/core/internal";
import { EXIT } from "../exit-code.ts";
import type { Paint } from "../render/output.ts";
import { byteSize, count, harmless } from "../render/text.ts";
import { type Command, DEBUG_FLAG, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { refuseTail, withStores } from "./with-stores.ts";

type Check = ValidationReport["checks"][number];
type CheckStatus = Check["status"];

/** Findings of one check of one run that are spelt out; the rest is counted. */
const MAX_FINDINGS = 20;

export const validateCommand: Command = {
  usage: "validate [SELECTOR] [--current] [--strict]",
  positionals: [
    { name: "SELECTOR", help: "A run (default: the newest run of each flow that reads from another)", required: false },
  ],
  flags: [
    { name: "current", type: "boolean", help: "Fail also when a selector would mean another run today" },
    { name: "strict", type: "boolean", help: "Fail on every warning" },
    { ...JSON_FLAG, help: "Print the report as one JSON object" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["validate", "the newest run of each flow"],
    ["validate Predict/3 --current", "and fail when prod:v1 has moved since"],
  ],
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const selector = invocation.positionals[0];
      if (selector !== undefined)
        refuseTail(core, core.parseSelector(selector), { command: "flow validate", most: "run" });
      const report = await core.validate(stores, {
        ...(selector === undefined ? {} : { selector }),
        current: invocation.isOn("current"),
        strict: invocation.isOn("strict"),
      });
      const { stdout } = context;
      stdout.write(invocation.isOn("json") ? `${JSON.stringify(report)}\n` : renderReport(report, stdout.paint));
      return report.ok ? EXIT.done : EXIT.failed;
    }),
};

/** The report for people: each run with its checks, then one line that says how it stands. */
export function renderReport(report: ValidationReport, paint: Paint): string {
  const lines: string[] = [];
  for (const run of report.runs) {
    lines.push(`${paint.bold(run.run)} ${paint.dim(run.flow)}`);
    const byId = Map.groupBy(
      report.checks.filter((check) => check.subject.run === run.run),
      (check) => check.id,
    );
    // Integrity first, then currency, each by id: the order of the guide.
    const inOrder = [...byId.values()].sort(([left], [right]) => orderOf(left!) - orderOf(right!));
    for (const checks of inOrder) lines.push(...checkLines(checks, paint));
    lines.push("");
  }
  const { pass, warn, fail } = report.totals;
  const hashed =
    report.hashed.blobs === 0
      ? ""
      : `, ${count(report.hashed.blobs, "value")} (${byteSize(report.hashed.bytes)}) hashed again`;
  const totals = [
    ...(fail > 0 ? [`${fail} failed`] : []),
    ...(warn > 0 ? [count(warn, "warning")] : []),
    `${pass} passed`,
  ].join(", ");
  if (report.runs.length === 0) lines.push(`${paint.yellow("!")} Nothing to validate: no run reads from another`);
  else
    lines.push(
      `${report.ok ? paint.green("✓") : paint.red("✗")} ${paint.bold(report.ok ? "Valid" : "Not valid")}: ${count(report.runs.length, "run")}, ${totals}${hashed}`,
    );
  return `${lines.join("\n")}\n`;
}

function checkLines(checks: readonly Check[], paint: Paint): readonly string[] {
  const [first] = checks;
  if (first === undefined) return [];
  const findings = checks.filter((check) => check.status !== "pass");
  const passed = checks.length - findings.length;
  const worst: CheckStatus = findings.some((check) => check.status === "fail")
    ? "fail"
    : findings.length > 0
      ? "warn"
      : "pass";
  const lines = [
    `  ${mark(worst, paint)} ${paint.dim(first.id)} ${paint.dim(first.kind.padEnd(9))} ${first.title}${passed > 1 ? paint.dim(` (${passed})`) : ""}`,
  ];
  for (const finding of findings.slice(0, MAX_FINDINGS)) {
    const evidence = harmless(finding.evidence, { colours: false });
    lines.push(`      ${finding.status === "fail" ? paint.red(evidence) : paint.yellow(evidence)}`);
  }
  if (findings.length > MAX_FINDINGS)
    lines.push(paint.dim(`      … ${findings.length - MAX_FINDINGS} more; --json lists them all`));
  return lines;
}

function orderOf(check: Check): number {
  return (check.kind === "integrity" ? 0 : 1_000) + Number(check.id.slice(1));
}

function mark(status: CheckStatus, paint: Paint): string {
  return status === "pass" ? paint.green("✓") : status === "warn" ? paint.yellow("!") : paint.red("✗");
}
