import type { DoctorFinding, DoctorReport } from "@millrace/core/internal";
import type { Output, Paint } from "./output.ts";
import { count, displayWidth, pad, plain, wrapText } from "./text.ts";

/** No terminal is so narrow that a word a line helps. */
const LEAST_COLUMNS = 24;
const MOST_COLUMNS = 110;

/** The report of `flow doctor`: a table of findings by area, what to do under each, and one line that says how it stands. */
export function renderDoctor(report: DoctorReport, output: Pick<Output, "paint" | "columns">): string {
  const { paint } = output;
  // What is piped is not broken into lines: it is searched.
  const width = Number.isFinite(output.columns()) ? Math.min(MOST_COLUMNS, output.columns()) : output.columns();
  const nameWidth = Math.max(0, ...report.findings.map(({ check }) => displayWidth(check)));
  const lines: string[] = [];
  for (const [area, findings] of Map.groupBy(report.findings, ({ area }) => area)) {
    lines.push(paint.bold(`${area[0]!.toUpperCase()}${area.slice(1)}`));
    for (const finding of findings) lines.push(...findingLines(finding, nameWidth, width, paint));
  }
  const { ok, warn, fail } = report.totals;
  const parts = [...(fail > 0 ? [`${fail} failed`] : []), ...(warn > 0 ? [count(warn, "warning")] : []), `${ok} ok`];
  const [mark, word] =
    fail > 0
      ? [paint.red("✗"), "Something has to be done"]
      : warn > 0
        ? [paint.yellow("!"), "It works; look at the warnings"]
        : [paint.green("✓"), "All is well"];
  return `${lines.join("\n")}\n\n${mark} ${paint.bold(word)}: ${parts.join(", ")}\n`;
}

/** `  ✓ node     24.1.0 for linux x64`, and below what is not well the next step. */
function findingLines(
  { check, status, found, next }: DoctorFinding,
  nameWidth: number,
  width: number,
  paint: Paint,
): readonly string[] {
  const indent = nameWidth + 6;
  const room = Math.max(LEAST_COLUMNS, width - indent);
  const blanks = " ".repeat(indent);
  const [first = "", ...rest] = wrapText(plain(found), room);
  const steps = next === undefined ? [] : wrapText(plain(next), room - 2);
  return [
    `  ${mark(status, paint)} ${pad(check, nameWidth)}  ${first}`.trimEnd(),
    ...rest.map((line) => blanks + line),
    ...steps.map((line, at) => `${blanks}${at === 0 ? paint.yellow("→") : " "} ${line}`),
  ];
}

function mark(status: DoctorFinding["status"], paint: Paint): string {
  return status === "ok" ? paint.green("✓") : status === "warn" ? paint.yellow("!") : paint.red("✗");
}
