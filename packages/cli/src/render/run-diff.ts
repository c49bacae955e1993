/** How two runs differ, as one table for each theme. */
import type { DiffRow, DiffSection, DiffValue, RunDiff } from "@millrace/core/internal";
import { metricText } from "./metric.ts";
import type { Paint } from "./output.ts";
import { renderTable } from "./table.ts";
import { byteSize, plain } from "./text.ts";

/** Digits of a digest that people compare; `--json` has them all. */
const DIGITS = 12;

const TITLES: Readonly<Record<DiffSection, string>> = {
  run: "Run",
  code: "Code",
  parameters: "Parameters",
  given: "Configs, files and constants",
  upstreams: "Upstreams",
  data: "Data that was read",
  artifacts: "Artifacts",
  metrics: "Metrics",
  environment: "Environment",
};

const MARKS = { same: " ", changed: "~", added: "+", removed: "-" } as const;

export interface DiffStyle {
  readonly paint: Paint;
  readonly width: number;
  /** Also what is the same. */
  readonly all: boolean;
  /** Milliseconds for people. */
  readonly duration: (ms: number) => string;
}

export function renderDiff(diff: RunDiff, style: DiffStyle): string {
  const { paint } = style;
  let text = "";
  const same: string[] = [];
  for (const [section, rows] of Object.entries(diff.sections) as [DiffSection, readonly DiffRow[]][]) {
    const different = rows.filter(({ state }) => state !== "same");
    const shown = style.all ? rows : different;
    if (different.length === 0 && rows.length > 0) same.push(TITLES[section].toLowerCase());
    if (shown.length === 0) continue;
    const more = rows.length - shown.length;
    text += `${paint.bold(TITLES[section])}${more > 0 ? paint.dim(` (${more} the same)`) : ""}\n`;
    text += `${renderTable(
      [
        { title: "  NAME", shrinkTo: 16 },
        { title: plain(diff.left.run).toUpperCase(), shrinkTo: 10 },
        { title: plain(diff.right.run).toUpperCase(), shrinkTo: 10 },
        ...(section === "metrics" ? ([{ title: "DIFFERENCE" }, { title: "PER CENT" }] as const) : []),
      ],
      shown.map((row) => [...cells(section, row, style), ...(section === "metrics" ? differenceCells(row) : [])]),
      style,
    )}\n`;
  }
  const names = `${plain(diff.left.run)} and ${plain(diff.right.run)}`;
  const equal = same.length === 0 ? "" : `; the same: ${same.join(", ")}`;
  return `${text}${diff.isSame ? `${names} are the same in all that makes a result` : `${names} differ`}${equal}\n`;
}

function cells(section: DiffSection, row: DiffRow, { paint, duration }: DiffStyle): readonly string[] {
  const { name, state, left, right } = row;
  const colour = state === "added" ? paint.green : state === "removed" ? paint.red : paint.yellow;
  const show = (value: DiffValue | undefined): string =>
    value === undefined
      ? ""
      : section === "run" && name === "duration" && value.kind === "value"
        ? duration(Number(value.value))
        : section === "metrics" && value.kind === "value"
          ? metricText(value.value as number | string)
          : plain(textOf(value));
  const mark = state === "same" ? " " : colour(MARKS[state]);
  return [`${mark} ${plain(name)}`, show(left) || "-", state === "same" ? paint.dim("the same") : show(right) || "-"];
}

/** `+0.0134`, `+1.5 %`; nothing where only one side has the metric, or it has not moved. */
function differenceCells({ state, difference, percent }: DiffRow): readonly string[] {
  if (state === "same" || difference === undefined) return ["", ""];
  const signed = (text: string): string => (difference > 0 ? `+${text}` : text);
  return [signed(metricText(difference)), percent === undefined ? "" : signed(`${Number(percent.toPrecision(3))} %`)];
}

function textOf(value: DiffValue): string {
  if (value.kind === "value") return typeof value.value === "string" ? value.value : JSON.stringify(value.value);
  const { digest, sizeBytes, from } = value;
  return [
    digest.slice(0, DIGITS),
    ...(sizeBytes === undefined ? [] : [byteSize(sizeBytes)]),
    ...(from === undefined ? [] : [`of ${from}`]),
  ].join(" ");
}
