/** `flow store verify`: whether a store is what was written to it. Damage gives an exit code of its own. */
import type { StoreFinding, VerifyReport } from "@millrace/core/internal";
import { loadCore } from "../../core.ts";
import { EXIT } from "../../exit-code.ts";
import type { Paint } from "../../render/output.ts";
import { byteSize, count, harmless } from "../../render/text.ts";
import { createVerifyProgress } from "../../render/verify-progress.ts";
import { type Command, type Context, DEBUG_FLAG, type Invocation, JSON_FLAG, STORE_FLAG } from "../command.ts";

/** Findings of one kind that are spelt out; the rest is counted. */
const MAX_SHOWN = 100;

/** Runs that a command to type names. */
const MAX_RUNS = 50;

export const storeVerifyCommand: Command = {
  usage: "store verify [--read-data | --read-data-subset N/T]",
  positionals: [],
  flags: [
    { name: "read-data", type: "boolean", help: "Read and hash every value" },
    {
      name: "read-data-subset",
      type: "text",
      placeholder: "N/T",
      help: "Read and hash the N-th of T parts of the values: 1/7 on Monday, 2/7 on Tuesday, …",
    },
    { ...JSON_FLAG, help: "Print one JSON object a finding, then one with the totals" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["store verify", "records and files, quickly"],
    ["store verify --read-data", "and every stored byte"],
    ["store verify --read-data-subset 1/5", "a fifth of the bytes"],
  ],
  notes:
    "Changes nothing, and may run while flows run. Exit codes: 0 whole, 4 damage was found, 1 something could not be looked at.",
  run: verify,
};

async function verify(invocation: Invocation, context: Context): Promise<number> {
  const core = await loadCore();
  const subset = invocation.text("read-data-subset");
  if (subset !== undefined && invocation.isOn("read-data"))
    throw new core.FlowError("FLOW_CLI_BAD_VALUE", {
      message: "--read-data and --read-data-subset cannot go together: one reads all values, the other a part of them",
      hint: "Keep one of them",
    });
  const readData = subset === undefined ? invocation.isOn("read-data") : core.parsePart(subset);
  const lines = new FindingLines(context, invocation.isOn("json"));
  const progress = createVerifyProgress(context);
  try {
    const report = await core.verifyStore(storeOf(invocation, context), {
      readData,
      onFinding: (finding) => {
        progress.clear();
        lines.add(finding);
      },
      onProgress: progress.show,
    });
    progress.clear();
    if (invocation.isOn("json")) context.stdout.write(`${JSON.stringify({ kind: "summary", ...report })}\n`);
    else
      context.stdout.write(
        lines.rest() + renderVerdict(report, context.stdout.paint) + nextCommands(report, lines.needCopy),
      );
    return exitCode(report);
  } finally {
    progress.clear();
  }
}

/** Which store the words and the environment name. */
export function storeOf(invocation: Invocation, { cwd, environment }: Context) {
  const store = invocation.text("store");
  return { ...(store === undefined ? {} : { store }), cwd, environment };
}

export function exitCode({ totals }: VerifyReport): number {
  if (totals.damage > 0) return EXIT.damaged;
  return totals.unchecked > 0 ? EXIT.failed : EXIT.done;
}

/** Findings as they come: a line each for programs, and for people with a bound for each kind. */
export class FindingLines {
  readonly #context: Context;
  readonly #isJson: boolean;
  /** Runs of which something wants a copy of the store. */
  readonly needCopy = new Set<string>();
  readonly #left = { damage: 0, unchecked: 0, note: 0 };
  readonly #shown = { damage: 0, unchecked: 0, note: 0 };

  constructor(context: Context, isJson: boolean) {
    this.#context = context;
    this.#isJson = isJson;
  }

  add(finding: StoreFinding): void {
    const { stdout } = this.#context;
    const { kind, remedy, subject } = finding;
    // A name, and not "run number 7".
    if (kind === "damage" && remedy === "copy" && /^\S+\/\d+$/.test(subject.run ?? "") && this.needCopy.size < MAX_RUNS)
      this.needCopy.add(subject.run!);
    if (this.#isJson) stdout.write(`${JSON.stringify(finding)}\n`);
    else if (this.#shown[finding.kind]++ < MAX_SHOWN) stdout.write(renderFinding(finding, stdout.paint));
    else this.#left[finding.kind]++;
  }

  /** What was counted and not shown. */
  rest(): string {
    const { damage, unchecked, note } = this.#left;
    const left = damage + unchecked + note;
    return left === 0 ? "" : this.#context.stdout.paint.dim(`  … ${left} more; --json lists them all\n`);
  }
}

function renderFinding({ id, kind, evidence }: StoreFinding, paint: Paint): string {
  const mark = kind === "note" ? paint.dim("·") : kind === "damage" ? paint.red("✗") : paint.yellow("!");
  const text = harmless(evidence, { colours: false });
  return `${mark} ${paint.dim(id)}  ${kind === "note" ? paint.dim(text) : text}\n`;
}

/** How the store stands, in one line; and in another one what helps with how many of the faults, where that differs. */
export function renderVerdict(report: VerifyReport, paint: Paint): string {
  const { totals, remedies, values, hashed, subset } = report;
  const read =
    hashed.blobs === 0
      ? ", none of them read"
      : `, ${hashed.blobs} of them read and hashed (${byteSize(hashed.bytes)}${subset === undefined ? "" : `, part ${subset.join(" of ")}`})`;
  const parts = [
    ...(totals.damage > 0 ? [count(totals.damage, "fault")] : []),
    ...(totals.unchecked > 0 ? [`${totals.unchecked} could not be looked at`] : []),
    ...(totals.note > 0 ? [count(totals.note, "note")] : []),
  ];
  const verdict = totals.damage > 0 ? "Damaged" : report.ok ? "Whole" : "Not all could be checked";
  const mark = report.ok ? paint.green("✓") : totals.damage > 0 ? paint.red("✗") : paint.yellow("!");
  const found = parts.length === 0 ? "" : `${parts.join(", ")}; `;
  const helps = REMEDIES.flatMap(([remedy, what]) => (remedies[remedy] > 0 ? [`${remedies[remedy]} ${what}`] : []));
  const split = helps.length < 2 ? "" : `  ${paint.dim(`of the faults, ${helps.join(", ")}`)}\n`;
  return `${mark} ${paint.bold(verdict)}: ${found}${count(values, "value")}${read}\n${split}`;
}

/** What helps, as the end of a sentence that begins with how many faults. */
const REMEDIES = [
  ["repair", "for flow store repair"],
  ["rerun", "for a step that runs again, or a copy"],
  ["copy", "for a copy alone"],
] as const;

function nextCommands({ totals, remedies, hashed }: VerifyReport, needCopy: ReadonlySet<string>): string {
  if (totals.damage === 0) return totals.note > 0 || hashed.blobs > 0 ? "" : "  flow store verify --read-data\n";
  const lines: string[] = [];
  if (remedies.repair + remedies.rerun > 0) lines.push("  flow store repair --dry-run");
  if (remedies.copy > 0) lines.push(...copyLines(remedies.copy, [...needCopy]));
  return `${lines.join("\n")}\n`;
}

/** What to do about faults that no repair mends. */
export function copyLines(faults: number, runs: readonly string[]): readonly string[] {
  const wants = faults === 1 ? "wants" : "want";
  const first = `  restore from a copy of the store: ${count(faults, "fault")} ${wants} one`;
  if (runs.length === 0) return [first];
  return [
    first,
    `  without a copy, delete ${runs.length === 1 ? "the run and take it" : "the runs and take them"} from an export, if there is one:`,
    `  flow runs delete ${runs.join(" ")}     flow import FILE`,
  ];
}
