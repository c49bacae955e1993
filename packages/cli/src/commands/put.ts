/** `flow put NAME FILE…`: something that was made elsewhere becomes a run, with its files as artifacts. */
import { readFileSync, type Stats, statSync } from "node:fs";
import path from "node:path";
import type { Problem, RunRecord } from "@millrace/core/internal";
import { type Core, loadCore } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { renderWarning } from "../render/errors.ts";
import { metricText } from "../render/metric.ts";
import type { Paint } from "../render/output.ts";
import { renderRequests } from "../render/run-lines.ts";
import { byteSize, plain } from "../render/text.ts";
import { type Command, type Context, DEBUG_FLAG, type Invocation, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { optional } from "./conduct-flags.ts";
import { tellWebhooks } from "./move-tag.ts";

export const putCommand: Command = {
  usage: "put FLOW [NAME=]PATH … [--tag TAG …] [--meta KEY=VALUE …] [--metric NAME=NUMBER …]",
  positionals: [
    { name: "FLOW", help: "The flow whose run it becomes; it need not be there", required: true },
    {
      name: "PATH",
      help: "A file or a folder; NAME= says what the artifact is called (default: the file's name without its ending)",
      required: true,
      many: true,
    },
  ],
  flags: [
    { name: "tag", type: "list", placeholder: "TAG", help: "Tag the run, such as prod:v1" },
    { name: "tag-reason", type: "text", placeholder: "TEXT", help: "Why, for tags whose policy asks; kept in the log" },
    {
      name: "meta",
      type: "list",
      placeholder: "KEY=VALUE",
      help: "What is to be known about it: a parameter of the run",
    },
    {
      name: "metric",
      type: "list",
      placeholder: "NAME=NUMBER",
      help: "How good it is: a metric of the run, such as r2=0.9",
    },
    {
      name: "metrics",
      type: "text",
      placeholder: "FILE",
      notEmpty: "a file",
      help: "The same from a JSON file, an object of numbers; --metric says otherwise",
    },
    {
      name: "upstream",
      type: "list",
      placeholder: "NAME=SELECTOR",
      help: "A run that it was made from, such as data=GenerateData/3",
    },
    { ...JSON_FLAG, help: "Print the record of the run as JSON" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["put Churn model.onnx --tag test:v1 --meta framework=sklearn", ""],
    ["put Churn model.onnx --metric auc=0.91 --metric val/loss=0.21", "then: flow runs Churn --sort metric:auc"],
    ["put Churn network=out/model-final.onnx tokenizer=out/tokenizer --upstream data=GenerateData@march", ""],
  ],
  notes:
    'The files are copied into the store under their digests. Other flows read them with upstream("FLOW"), flow pull gives them back, and validate, promote and lineage treat the run as any other.',
  run: (invocation, context) => put(invocation, context),
};

async function put(invocation: Invocation, context: Context): Promise<number> {
  const core = await loadCore();
  const [flow, ...sources] = invocation.positionals as readonly [string, ...string[]];
  const problems: Problem[] = [];
  const files = filesOf(core, sources, context.cwd, problems);
  const parameters = pairs(invocation.list("meta"), "meta", problems);
  const metrics = readMetricFlags(invocation, context.cwd, problems);
  const upstreams = pairs(invocation.list("upstream"), "upstream", problems);
  if (problems.length > 0) throw core.problemsError(`Cannot put ${plain(flow)}`, problems);
  const place = {
    ...optional("store", invocation.text("store")),
    cwd: context.cwd,
    environment: context.environment,
  };
  const stores = core.planStores({ ...place, create: true });
  try {
    const { record, warnings } = await core.putRun(() => stores.open(), {
      flow,
      files,
      parameters,
      metrics,
      upstreams,
      tags: invocation.list("tag"),
      ...optional("tagReason", invocation.text("tag-reason")),
      cwd: context.cwd,
      environment: context.environment,
      command: ["flow", ...context.words],
    });
    await tellWebhooks(core, await stores.open(), context);
    for (const warning of warnings) context.stderr.write(`${renderWarning(warning, context.stderr.paint)}\n`);
    if (invocation.isOn("json")) context.stdout.write(`${JSON.stringify(record)}\n`);
    else {
      const { isNew, folder } = await stores.open();
      if (isNew) context.stderr.write(`${context.stderr.paint.dim(`Made a new store in ${folder}`)}\n`);
      context.stdout.write(renderRecord(record, context.stdout.paint));
    }
    return EXIT.done;
  } finally {
    await stores.close();
  }
}

type Files = Parameters<Core["putRun"]>[1]["files"];

function filesOf(core: Core, sources: readonly string[], cwd: string, problems: Problem[]): Files {
  const files: Record<string, Files[string]> = {};
  const bad = (message: string, hint: string): void =>
    void problems.push({ code: "FLOW_CLI_BAD_VALUE", message, hint });
  for (const source of sources) {
    const [, given, file] = /^(?:([A-Za-z_$][\w$]*)=)?(.*)$/s.exec(source) as unknown as [string, string?, string?];
    const absolute = path.resolve(cwd, file!);
    const facts = factsOf(absolute);
    const name = given ?? nameOf(absolute);
    if (typeof facts === "string")
      bad(`"${plain(file!)}" cannot be looked at: ${plain(facts)}`, "Name a file or a folder");
    else if (facts === undefined) bad(`"${file}" is not there`, "Name a file or a folder");
    else if (!facts.isFile() && !facts.isDirectory()) bad(`"${file}" is no plain file`, "Name a file or a folder");
    else if (!core.isName(name))
      bad(`"${file}" gives no name for an artifact: ${JSON.stringify(name)} is none`, `Name it: model=${file}`);
    else if (Object.hasOwn(files, name))
      bad(`"${files[name]!.path}" and "${file}" would both be "${name}"`, `Name one of them: other=${file}`);
    else files[name] = { path: absolute, isFolder: facts.isDirectory() };
  }
  return files;
}

/** What the system says of a path: a text where it cannot, such as for a name that is too long. */
function factsOf(file: string): Stats | string | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** `model-final.v2.onnx` becomes `model_final_v2`. */
function nameOf(file: string): string {
  const base = path.basename(file);
  return path.basename(base, path.extname(base)).replaceAll(/[-. ]/g, "_");
}

const FORMS = { meta: "KEY=VALUE", upstream: "NAME=SELECTOR", metric: "NAME=NUMBER" } as const;

function pairs(
  words: readonly string[],
  flag: keyof typeof FORMS,
  problems: Problem[],
): Readonly<Record<string, string>> {
  const values = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf("=");
    const name = word.slice(0, at);
    const message =
      at < 1
        ? `--${flag} ${JSON.stringify(word)} has no "="`
        : values.has(name)
          ? `--${flag} says "${name}" twice`
          : undefined;
    if (message !== undefined)
      problems.push({
        code: "FLOW_CLI_BAD_VALUE",
        message,
        hint: `Write --${flag} ${FORMS[flag]}`,
      });
    else values.set(name, word.slice(at + 1));
  }
  return Object.fromEntries(values);
}

/** Larger files are no metrics of one run. */
const MAX_METRICS_BYTES = 1024 * 1024;

/** Metrics of a file, and over them those of the flags. */
function readMetricFlags(invocation: Invocation, cwd: string, problems: Problem[]): ReadonlyMap<string, number> {
  const metrics = new Map<string, number>();
  const file = invocation.text("metrics");
  const take = (name: string, value: unknown, where: string): void => {
    const number = numberOf(value);
    if (number !== undefined) metrics.set(name, number);
    else
      problems.push({
        code: "FLOW_CLI_BAD_VALUE",
        message: `${where} ${JSON.stringify(plain(name))} is ${plain((JSON.stringify(value) ?? "nothing").slice(0, 200))}, and no number`,
        hint: "Give a number such as 0.91 or 1e-7; NaN, Infinity and -Infinity are numbers too",
      });
  };
  if (file !== undefined) {
    const given = readMetricsFile(path.resolve(cwd, file));
    if (typeof given === "string")
      problems.push({
        code: "FLOW_CLI_BAD_VALUE",
        message: `--metrics "${plain(file)}" cannot be read: ${plain(given)}`,
        hint: 'Write a JSON object of numbers: { "auc": 0.91, "val/loss": 0.21 }; "NaN" in quotes',
      });
    else for (const [name, value] of given) take(name, value, `"${plain(file)}":`);
  }
  for (const [name, value] of Object.entries(pairs(invocation.list("metric"), "metric", problems)))
    take(name, value, "--metric");
  return metrics;
}

/** What stands in a file of metrics, or why it is none. */
function readMetricsFile(file: string): readonly (readonly [string, unknown])[] | string {
  try {
    const { size } = statSync(file);
    if (size > MAX_METRICS_BYTES) return `it has ${byteSize(size)}, the limit is ${byteSize(MAX_METRICS_BYTES)}`;
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof value !== "object" || value === null || Array.isArray(value)) return "it holds no object";
    return Object.entries(value);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A number, or a text that is one: JSON has no other way to write those that are not finite. */
function numberOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value !== "string") return undefined;
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(value)) return Number(value);
  const named = /^([+-]?)(nan|inf(?:inity)?)$/i.exec(value);
  if (named === null) return undefined;
  return named[2]!.toLowerCase() === "nan" ? Number.NaN : named[1] === "-" ? -Infinity : Infinity;
}

/** What was recorded, and what to type next. */
function renderRecord(record: RunRecord, paint: Paint): string {
  const artifacts = record.artifacts.filter(({ kind }) => kind === "artifact");
  const width = Math.max(
    ...artifacts.map(({ name }) => name.length),
    ...Object.keys(record.parameters).map((name) => name.length),
    ...(record.metrics ?? []).map(({ name }) => name.length),
    8,
  );
  const line = (name: string, text: string): string => `  ${name.padEnd(width)}  ${text}`;
  const tags = record.tags.length === 0 ? "" : ` [${record.tags.map(plain).join(", ")}]`;
  return [
    `${paint.green("✓")} ${paint.bold(record.run)} ${paint.green("recorded")}${tags}  ${paint.dim(record.id)}`,
    ...artifacts.map(({ name, codec, sizeBytes, digest }) =>
      line(name, `${plain(codec)}, ${byteSize(sizeBytes)}  ${paint.dim(digest)}`),
    ),
    ...Object.entries(record.parameters).map(([name, value]) => line(name, plain(String(value)))),
    ...(record.metrics ?? []).map(({ name, value }) => line(name, metricText(value))),
    ...renderRequests(record, paint).map((request) => `  ${request}`),
    ...record.upstreams.map(({ name, run }) => line(name, `← ${run}`)),
    `  ${paint.dim(`flow show ${record.run}     flow validate ${record.run}     flow pull ${record.run}`)}`,
    "",
  ].join("\n");
}
