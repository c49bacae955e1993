/** `flow compare RUN RUN …`: runs side by side. */
import type { RunComparison, RunRow } from "@millrace/core/internal";
import { EXIT } from "../exit-code.ts";
import { metricText } from "../render/metric.ts";
import type { Paint } from "../render/output.ts";
import { statusWord } from "../render/status.ts";
import { renderTable } from "../render/table.ts";
import { dateTime, displayWidth, plain } from "../render/text.ts";
import { type Command, DEBUG_FLAG, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { selectRun, withStores } from "./with-stores.ts";

/** A column of a run is at least so wide; more runs than fit are shown below each other. */
const MIN_COLUMN = 12;
const MAX_RUNS = 100;

export const compareCommand: Command = {
  usage: "compare RUN RUN … [--lower METRIC …] [--higher METRIC …]",
  positionals: [{ name: "RUN", help: "Train/17, Train@prod:v1 or a run id; two or more", required: true, many: true }],
  flags: [
    {
      name: "lower",
      type: "list",
      placeholder: "METRIC",
      help: "Less of this metric is better (default: by its name)",
    },
    { name: "higher", type: "list", placeholder: "METRIC", help: "More of this metric is better (default)" },
    { name: "differing", type: "boolean", help: "Only what is not the same in all of them" },
    { ...JSON_FLAG, help: "Print the comparison as one JSON object" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["compare Train/17 Train@prod:v1", ""],
    ["compare Train/15 Train/16 Train/17 --differing", ""],
  ],
  notes:
    "The best value of each metric is marked with *. Less is better where a part of the name is a loss, an error, a time or a cost (val/loss, rmse, latency); --lower and --higher say otherwise.",
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const selectors = invocation.positionals;
      if (selectors.length < 2 || selectors.length > MAX_RUNS) {
        throw new core.FlowError("FLOW_CLI_MISSING_ARGUMENT", {
          message: `flow compare takes 2 to ${MAX_RUNS} runs, ${selectors.length} given`,
          hint: "Name the runs, such as flow compare Train/16 Train/17",
        });
      }
      const runs: RunRow[] = [];
      for (const text of selectors)
        runs.push((await selectRun(core, stores, text, context, { command: "flow compare", most: "run" })).run);
      const comparison = await core.compareRuns(stores.metadata, runs, {
        lower: invocation.list("lower"),
        higher: invocation.list("higher"),
      });
      const { stdout } = context;
      if (invocation.isOn("json")) {
        stdout.write(`${JSON.stringify(comparison)}\n`);
        return EXIT.done;
      }
      const rows = rowsOf(comparison, {
        paint: stdout.paint,
        duration: (ms) => core.formatDuration(ms),
        onlyDiffering: invocation.isOn("differing"),
      });
      stdout.write(blocks(comparison, rows, { paint: stdout.paint, width: stdout.columns() }));
      return EXIT.done;
    }),
};

interface Row {
  readonly name: string;
  /** One for each run. */
  readonly cells: readonly string[];
}

interface RowStyle {
  readonly paint: Paint;
  readonly duration: (ms: number) => string;
  readonly onlyDiffering: boolean;
}

/** What the runs are, then what they were given, what they came to, and what they were made from. */
function rowsOf(comparison: RunComparison, { paint, duration, onlyDiffering }: RowStyle): readonly Row[] {
  const { runs, parameters, metrics, upstreams, code } = comparison;
  const facts = (title: string, list: RunComparison["parameters"], show: (value: unknown) => string): Row[] =>
    list
      .filter(({ isSame }) => !onlyDiffering || !isSame)
      .map(({ name, values, isSame }) => ({
        name: `${title}${plain(name)}`,
        cells: values.map((value) => {
          const text = value === undefined ? "-" : plain(show(value));
          return isSame ? paint.dim(text) : text;
        }),
      }));
  return [
    { name: "status", cells: runs.map(({ status }) => statusWord(status, paint)) },
    { name: "created", cells: runs.map(({ createdAt }) => dateTime(createdAt)) },
    { name: "took", cells: runs.map(({ durationMs }) => (durationMs === undefined ? "" : duration(durationMs))) },
    { name: "tags", cells: runs.map(({ tags }) => plain(tags.join(", "))) },
    ...facts("--", parameters, (value) => (typeof value === "string" ? value : JSON.stringify(value))),
    ...metrics
      .filter(({ values }) => !onlyDiffering || new Set(values).size > 1)
      .map(({ name, values, best }) => ({
        name: plain(name),
        cells: values.map((value, at) => {
          if (value === undefined) return "-";
          return best.includes(at) ? paint.green(`${metricText(value)} *`) : metricText(value);
        }),
      })),
    ...facts("reads ", upstreams, (value) => String(value ?? "none")),
    ...facts("", code, (value) => shortDigest(String(value))),
  ];
}

/** A digest or commit by its first digits, with what stands behind it. */
function shortDigest(text: string): string {
  return text.replace(/^([0-9a-f]{12})[0-9a-f]+/, "$1");
}

/** As many runs beside each other as fit; the others below. */
function blocks(
  { runs }: RunComparison,
  rows: readonly Row[],
  style: { readonly paint: Paint; readonly width: number },
): string {
  const names = Math.max(...rows.map(({ name }) => displayWidth(name)));
  const room = style.width - names;
  const widest = Math.max(MIN_COLUMN, ...runs.map(({ run }) => displayWidth(run)));
  const fitting = Number.isFinite(room) ? Math.max(1, Math.floor(room / (widest + 2))) : runs.length;
  const parts: string[] = [];
  for (let from = 0; from < runs.length; from += fitting) {
    const part = runs.slice(from, from + fitting);
    parts.push(
      renderTable(
        [{ title: "" }, ...part.map(({ run }) => ({ title: plain(run), shrinkTo: widest }))],
        rows
          .map(({ name, cells }) => [name, ...cells.slice(from, from + fitting)])
          .filter((cells) => cells.some((cell, at) => at > 0 && cell !== "")),
        style,
      ),
    );
  }
  return parts.join("\n");
}
