/**
 * `flow validate [SELECTOR]`: integrity (what was read is whole and is what was stored) apart from currency (the selector
 * would mean another run today). A failed check gives exit code 1.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { OpenStores, ValidationReport } from "@millrace/core/internal";
import { faultsError } from "../arguments/faults-error.ts";
import type { Flag } from "../arguments/flag.ts";
import { readFlowWords, readRunWords } from "../arguments/run-arguments.ts";
import { parseConditions } from "../arguments/run-query.ts";
import { type Core, loadCore } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { renderWarning } from "../render/errors.ts";
import type { Paint } from "../render/output.ts";
import { byteSize, count, harmless } from "../render/text.ts";
import {
  type Command,
  type Context,
  DEBUG_FLAG,
  type Invocation,
  invocation,
  JSON_FLAG,
  STORE_FLAG,
} from "./command.ts";
import { optional } from "./conduct-flags.ts";
import { PUBLIC_KEY_FLAG } from "./sign.ts";
import { refuseTail, withStores } from "./with-stores.ts";

type Check = ValidationReport["checks"][number];
type CheckStatus = Check["status"];

/** Findings of one check of one run that are spelt out; the rest is counted. */
const MAX_FINDINGS = 20;

const OWN_FLAGS: readonly Flag[] = [
  { name: "all", type: "boolean", help: "Every successful run, and the records of the store" },
  {
    name: "current",
    type: "boolean",
    help: "Fail also when a selector would mean another run today, or something is old",
  },
  { name: "strict", type: "boolean", help: "Fail on every warning" },
  {
    name: "max-age",
    type: "text",
    placeholder: "DURATION",
    help: "Fail when the run, or what it read from, is older: 26h, 7d",
  },
  {
    name: "require",
    type: "list",
    placeholder: "CONDITION",
    help: "Fail unless it holds: metric:r2>=0.9, param:configuration=config",
  },
  { ...PUBLIC_KEY_FLAG, help: "Fail unless this key has signed the run; of several, one must have (repeatable)" },
  { name: "watch-freshness", type: "boolean", help: "Only whether it is current and not too old: no value is read" },
  {
    name: "read-data",
    type: "boolean",
    help: "Read values from the bucket, also where this machine has copies of them",
  },
  {
    name: "deployed",
    type: "text",
    placeholder: "DIGEST",
    help: "Fail unless this SHA-256 is one of the run's artifacts",
  },
  { ...JSON_FLAG, help: "Print the report as one JSON object" },
  STORE_FLAG,
  DEBUG_FLAG,
];

export const validateCommand: Command = {
  usage: "validate [SELECTOR | FILE [flags of the flow] | --all] [--current] [--strict]",
  positionals: [
    { name: "SELECTOR", help: "A run (default: the newest run of each flow that reads from another)", required: false },
  ],
  flags: OWN_FLAGS,
  examples: [
    ["validate", "the newest run of each flow"],
    ["validate Predict/3 --current", "and fail when prod:v1 has moved since"],
    ["validate Train@prod:v1 --public-key release.pub", "and fail unless this key has signed it"],
    ["validate predict.ts --model-tag prod:v1", "the runs that this would read from, before it is run"],
    [
      "validate Predict@nightly --watch-freshness --max-age 26h",
      "for a scheduler: quick, exit code 1 when something is old",
    ],
  ],
  readsOwnWords: (words) => isFlowFile(readRunWords(words, OWN_FLAGS).file),
  run: (invocation, context) =>
    isFlowFile(readRunWords(context.words, OWN_FLAGS).file) ? validateFile(context) : validateRuns(invocation, context),
};

function isFlowFile(word: string | undefined): word is string {
  return word !== undefined && /\.(?:[cm]?[jt]sx?|flow)$/.test(word);
}

/** What a run of this flow would read from, if it were started now. */
async function validateFile(context: Context): Promise<number> {
  const core = await loadCore();
  const { file } = readRunWords(context.words, OWN_FLAGS);
  const pack = await core.preparePackage(file!);
  const flow = core.selectFlow(pack, undefined);
  const words = readFlowWords(context.words, OWN_FLAGS, flow.definition);
  if (words.faults.length > 0) throw await faultsError(`flow validate ${file}`, words.faults);
  const own = invocation(words.values, words.positionals);
  return await withValues(own, context, async (stores) => {
    const { runs, warnings } = await core.wouldRead(stores, {
      package: pack,
      flow,
      fields: { flags: words.flags },
      tags: [],
      environment: context.environment,
      readFile: (name) => readFile(path.resolve(context.cwd, name)),
      upstreams: words.upstreams,
      strict: own.isOn("strict"),
    });
    for (const warning of warnings) context.stderr.write(`${renderWarning(warning, context.stderr.paint)}\n`);
    return finish(await core.validate(stores, { ...optionsOf(core, own, context), runs }), own, context);
  });
}

function finish(report: ValidationReport, words: Invocation, { stdout }: Context): number {
  stdout.write(words.isOn("json") ? `${JSON.stringify(report)}\n` : renderReport(report, stdout.paint));
  return report.ok ? EXIT.done : EXIT.failed;
}

function optionsOf(core: Core, words: Invocation, context: Context): Parameters<Core["validate"]>[1] {
  const age = words.text("max-age");
  const maxAgeMs = age === undefined ? undefined : core.parseDurationMs(age);
  if (age !== undefined && maxAgeMs === undefined)
    throw new core.FlowError("FLOW_CLI_BAD_VALUE", {
      message: `--max-age ${JSON.stringify(age)} is no duration`,
      hint: "Write a number and a unit, such as 90m, 26h or 7d",
    });
  const deployed = words.text("deployed");
  if (deployed !== undefined && !/^(?:sha256:)?[0-9a-f]{64}$/i.test(deployed))
    throw new core.FlowError("FLOW_CLI_BAD_VALUE", {
      message: `--deployed ${JSON.stringify(deployed)} is no SHA-256`,
      hint: "Give the 64 hex digits of the file that is deployed: sha256sum FILE",
    });
  if (words.isOn("watch-freshness") && words.isOn("read-data"))
    throw new core.FlowError("FLOW_CLI_BAD_VALUE", {
      message: "--watch-freshness reads no value, so --read-data has nothing to read",
      hint: "Leave one of the two away, or call flow validate twice",
    });
  const beside = ["require", "public-key", "deployed"].filter((flag) => words.list(flag).length > 0);
  if (words.isOn("watch-freshness") && beside.length > 0)
    throw new core.FlowError("FLOW_CLI_BAD_VALUE", {
      message: `--watch-freshness reads no value, so it cannot judge ${beside.map((flag) => `--${flag}`).join(", ")}`,
      hint: "Leave one of the two away, or call flow validate twice",
    });
  return {
    current: words.isOn("current"),
    strict: words.isOn("strict"),
    freshnessOnly: words.isOn("watch-freshness"),
    now: new Date(context.now()),
    project: core.projectView(context.cwd),
    publicKeys: words.list("public-key").map((file) => core.readPublicKeyFile(file, context.cwd)),
    ...(words.list("require").length === 0
      ? {}
      : { required: parseConditions(core, words.list("require"), "--require") }),
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
    ...(deployed === undefined ? {} : { deployed }),
  };
}

/** As `withStores`, with values as the store itself has them where that is asked for. */
function withValues(
  words: Invocation,
  context: Context,
  work: (stores: OpenStores, core: Core) => Promise<number>,
): Promise<number> {
  return withStores(words, context, async (stores, core) => {
    if (!words.isOn("read-data")) return await work(stores, core);
    const { close, ...values } = await core.openPastCopies(stores);
    return await work({ ...stores, ...values }, core).finally(close);
  });
}

function validateRuns(invocation: Invocation, context: Context): Promise<number> {
  return withValues(invocation, context, async (stores, core) => {
    const selector = invocation.positionals[0];
    if (selector !== undefined)
      refuseTail(core, core.parseSelector(selector), { command: "flow validate", most: "run" });
    const options = optionsOf(core, invocation, context);
    if (!invocation.isOn("all"))
      return finish(
        await core.validate(stores, { ...options, ...(selector === undefined ? {} : { selector }) }),
        invocation,
        context,
      );
    if (selector !== undefined)
      throw new core.FlowError("FLOW_CLI_BAD_VALUE", {
        message: `--all means every run, and "${selector}" one`,
        hint: "Leave one of the two away",
      });
    const { cwd, environment } = context;
    const place = { cwd, environment, ...optional("store", invocation.text("store")) };
    return finish(await core.validateAll(stores, place, options), invocation, context);
  });
}

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
  const ofStore = report.checks.filter((check) => check.subject.run === undefined);
  if (ofStore.length > 0) lines.push(paint.bold("The store"), ...checkLines(ofStore, paint), "");
  const { pass, warn, fail } = report.totals;
  const hashed =
    report.hashed.blobs === 0
      ? ""
      : `, ${count(report.hashed.blobs, "value")} (${byteSize(report.hashed.bytes)}) hashed again${report.readFrom === "copies" ? ", copies on this machine among them" : ""}`;
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
