/**
 * `flow step RUN/STEP[/TASK]`: one step once more on what it began with, in the foreground of this process, so that a
 * debugger, a prompt and a `console.log` work as anywhere. What it writes goes to the terminal as it comes; what it leaves
 * is compared with what it left then, and kept nowhere.
 */
import type {
  CodeSource,
  ComparedArtifact,
  OpenStores,
  PreparedStep,
  RunRow,
  SerializedError,
  StepOutcome,
  TaskRow,
} from "@millrace/core/internal";
import type { Core } from "../core.ts";
import { EXIT, UNSETTLED } from "../exit-code.ts";
import { renderTaskError, shortPath } from "../render/errors.ts";
import { statusMark } from "../render/status.ts";
import { renderTable } from "../render/table.ts";
import { byteSize, count, harmless } from "../render/text.ts";
import { jsonSafe, renderValue } from "../render/value.ts";
import { type Command, type Context, DEBUG_FLAG, type Invocation, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { selectRun, withStores } from "./with-stores.ts";

/** Larger values are told by size and digest alone. */
const MAX_SHOWN_BYTES = 16 * 1024 * 1024;
const DIGEST_SHOWN = 12;

export const stepCommand: Command = {
  usage: "step SELECTOR [--set NAME=VALUE …]",
  positionals: [
    { name: "SELECTOR", help: "A task of a run (Train/17/evaluate/3), or a step that has one", required: true },
  ],
  flags: [
    {
      name: "set",
      type: "list",
      placeholder: "NAME=VALUE",
      help: "Another value of a parameter or of an artifact that the step begins with: JSON, else text",
    },
    {
      name: "kept-code",
      type: "boolean",
      help: "With the code that the run was made with, not with that of the working tree",
    },
    { ...JSON_FLAG, help: "Print the outcome as one JSON object" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["step Train/17/evaluate/3", "with the code as it is now, on the inputs of then"],
    ["step Train/17/pickBest --set configuration=test_config", "with another parameter"],
  ],
  notes:
    "The run is not touched and nothing is recorded. Retry, timeout, catch and isolation are left out. To stop at a debugger statement: node --inspect-brk node_modules/.bin/flow step …",
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const { run, selector } = await selectRun(core, stores, invocation.positionals[0]!, context, {
        command: "flow step",
        most: "task",
      });
      if (selector.step === undefined) throw noStep(core, run);
      const origin = await originOf(core, stores, run, selector.step, selector.path);
      const set = readSet(core, invocation.list("set"));
      const { cwd, environment } = context;
      const isKept = invocation.isOn("kept-code");
      const prepared = await core.prepareStepAgain({ stores, run, origin, set, isKept, cwd, environment });
      try {
        return await execute(core, prepared, { run, origin }, invocation, context);
      } finally {
        prepared.close();
      }
    }),
};

/** The newest attempt of the one task that is meant. */
async function originOf(
  core: Core,
  { metadata }: OpenStores,
  run: RunRow,
  step: string,
  path: string | undefined,
): Promise<TaskRow> {
  let origin: TaskRow | undefined;
  for await (const task of core.listTasks(metadata, run, { step, ...(path === undefined ? {} : { path }) })) {
    if (origin !== undefined && origin.path !== task.path) {
      throw new core.FlowError("FLOW_CLIENT_BAD_SELECTOR", {
        message: `Cannot tell which task of ${core.runName(run)}/${step} is meant: there are several`,
        hint: `Name one, such as ${core.taskName(run, origin)}; flow show ${core.runName(run)}/${step} lists them`,
      });
    }
    if (origin === undefined || task.attempt >= origin.attempt) origin = task;
  }
  if (origin === undefined) throw await core.noTask(metadata, run, step, path);
  return origin;
}

function readSet(core: Core, words: readonly string[]): ReadonlyMap<string, string> {
  const set = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf("=");
    if (at < 1 || set.has(word.slice(0, at))) {
      throw new core.FlowError("FLOW_CLI_BAD_VALUE", {
        message: `--set ${word}: ${at < 1 ? "expected a name and a value" : `"${word.slice(0, at)}" is set twice`}`,
        hint: "Write --set NAME=VALUE, once for each name",
      });
    }
    set.set(word.slice(0, at), word.slice(at + 1));
  }
  return set;
}

async function execute(
  core: Core,
  prepared: PreparedStep,
  { run, origin }: { readonly run: RunRow; readonly origin: TaskRow },
  invocation: Invocation,
  context: Context,
): Promise<number> {
  const { stderr, stdout } = context;
  const isJson = invocation.isOn("json");
  if (!isJson)
    stderr.write(`${stderr.paint.dim(`${prepared.task} again, with ${sourceText(prepared.code, context.cwd)}`)}\n`);
  const abort = new AbortController();
  let interrupted: "SIGINT" | "SIGTERM" | undefined;
  const release = context.signals.take((signal) => {
    if (interrupted !== undefined) context.signals.exit(codeOf(signal));
    interrupted = signal;
    abort.abort(new DOMException("The step was cancelled", "AbortError"));
    stderr.write(`${stderr.paint.yellow("Stopping … Ctrl-C again stops at once")}\n`);
  });
  const began = context.now();
  const stopWatching = context.signals.watchExit((code) => {
    const error = endedByStep(code);
    const { cwd } = context;
    if (isJson) {
      const outcome = { status: "failed", durationMs: context.now() - began, error, artifacts: [] } as const;
      stdout.write(`${JSON.stringify(outcomeJson(prepared, run, origin, outcome))}\n`);
    } else stderr.write(renderTaskError(prepared.task, error, { paint: stderr.paint, debug: false, cwd }));
    return EXIT.failed; // The step's own code would be taken for one of ours: 2, 3 and 130 say other things.
  });
  let outcome: StepOutcome;
  try {
    outcome = await prepared.run(abort.signal);
  } finally {
    stopWatching();
    release();
  }
  if (isJson) stdout.write(`${JSON.stringify(outcomeJson(prepared, run, origin, outcome))}\n`);
  else print(core, prepared, origin, outcome, invocation.isOn("debug"), context);
  if (outcome.status === "succeeded" || outcome.status === "skipped") return EXIT.done;
  return interrupted === undefined ? EXIT.failed : codeOf(interrupted);
}

/** The failure of a step after which the process ends: in a run its worker would, and it would be called the same. */
function endedByStep(code: number): SerializedError {
  const how = code === UNSETTLED ? "waited for something that never comes" : `ended the process with exit code ${code}`;
  return {
    code: "FLOW_RUNNER_WORKER_ENDED",
    name: "FlowError",
    message: `it ${how}`,
    hint:
      code === UNSETTLED
        ? "Look for a promise that nothing resolves, such as one that waits for a closed stream"
        : "Look for process.exit() in the step and in what it calls, and let the step return or throw",
  };
}

function sourceText(source: CodeSource, cwd: string): string {
  return source.kind === "tree" ? shortPath(source.file, cwd) : `the code that was kept of ${source.entry}`;
}

function codeOf(signal: "SIGINT" | "SIGTERM"): number {
  return signal === "SIGINT" ? EXIT.interrupted : EXIT.terminated;
}

function print(
  core: Core,
  { task }: PreparedStep,
  origin: TaskRow,
  outcome: StepOutcome,
  debug: boolean,
  { stdout, stderr, cwd }: Context,
): void {
  const { paint } = stdout;
  if (outcome.error !== undefined)
    stderr.write(renderTaskError(task, outcome.error, { paint: stderr.paint, debug, cwd }));
  const duration = core.formatDuration(outcome.durationMs);
  const facts = [
    ...(outcome.reason === undefined ? [] : [harmless(outcome.reason, { colours: false })]),
    ...(outcome.choice === undefined ? [] : [`chose "${outcome.choice}"${changed(outcome.choice, origin.choice)}`]),
    ...(outcome.fanOut === undefined
      ? []
      : [`${count(outcome.fanOut, "item")}${changed(outcome.fanOut, origin.fanOut)}`]),
    ...(outcome.artifacts.length === 0 ? [] : [comparisonText(outcome.artifacts)]),
  ];
  stdout.write(
    `${statusMark(outcome.status, paint)} ${paint.bold(task)} again: ${outcome.status} after ${duration}${facts.length === 0 ? "" : `: ${facts.join(", ")}`}\n`,
  );
  if (outcome.artifacts.length === 0) return;
  const colour = { same: paint.dim, different: paint.yellow, new: paint.green, gone: paint.red };
  const rows = outcome.artifacts.map((artifact) => [
    paint.bold(artifact.name),
    colour[artifact.comparison](artifact.comparison),
    digestText(artifact),
    valueText(outcome, artifact, paint.isColorSupported),
  ]);
  const columns = [{ title: "artifact" }, { title: "" }, { title: "digest" }, { title: "value", shrinkTo: 20 }];
  stdout.write(renderTable(columns, rows, { paint, width: stdout.columns() }));
}

function changed(now: string | number, then: string | number | undefined): string {
  return then === undefined || then === now ? "" : ` (then ${JSON.stringify(then)})`;
}

/** `2 same, 1 different`. */
function comparisonText(artifacts: readonly ComparedArtifact[]): string {
  const counts = new Map<string, number>();
  for (const { comparison } of artifacts) counts.set(comparison, (counts.get(comparison) ?? 0) + 1);
  return [...counts].map(([comparison, number]) => `${number} ${comparison}`).join(", ");
}

function digestText({ now, origin, comparison }: ComparedArtifact): string {
  const short = (digest: string | undefined): string => digest?.slice(0, DIGEST_SHOWN) ?? "";
  return comparison === "different"
    ? `${short(origin?.digest)} → ${short(now?.digest)}`
    : short((now ?? origin)?.digest);
}

/** The value in one line. */
function valueText(outcome: StepOutcome, { now }: ComparedArtifact, colours: boolean): string {
  if (now === undefined) return "";
  if (now.sizeBytes > MAX_SHOWN_BYTES) return `${byteSize(now.sizeBytes)} of ${now.codec}`;
  return renderValue(outcome.read(now), { colours, width: Number.POSITIVE_INFINITY }).replaceAll(/\s*\n\s*/g, " ");
}

/** The outcome for programs: stable, fields may be added. */
function outcomeJson(
  { task, code }: PreparedStep,
  run: RunRow,
  origin: TaskRow,
  outcome: Omit<StepOutcome, "read"> & Partial<Pick<StepOutcome, "read">>,
): unknown {
  const { status, durationMs, error, reason, choice, fanOut } = outcome;
  return {
    schema: 1,
    task,
    runId: run.id,
    attempt: origin.attempt,
    code,
    status,
    durationMs,
    origin: {
      status: origin.status,
      ...(origin.choice === undefined ? {} : { choice: origin.choice }),
      ...(origin.fanOut === undefined ? {} : { fanOut: origin.fanOut }),
    },
    ...(error === undefined ? {} : { error }),
    ...(reason === undefined ? {} : { reason }),
    ...(choice === undefined ? {} : { choice }),
    ...(fanOut === undefined ? {} : { fanOut }),
    artifacts: outcome.artifacts.map(({ name, comparison, now, origin: before }) => ({
      name,
      comparison,
      ...(now === undefined ? {} : { codec: now.codec, digest: now.digest, sizeBytes: now.sizeBytes }),
      ...(before === undefined
        ? {}
        : { origin: { codec: before.codec, digest: before.digest, sizeBytes: before.sizeBytes } }),
      ...(now === undefined || now.sizeBytes > MAX_SHOWN_BYTES ? {} : valueJson(outcome.read?.(now))),
    })),
  };
}

function valueJson(given: unknown): Readonly<Record<string, unknown>> {
  const { value, notes, isExact } = jsonSafe(given);
  return { value, ...(isExact ? {} : { notInJson: notes }) };
}

function noStep(core: Core, run: RunRow): Error {
  const name = core.runName(run);
  return new core.FlowError("FLOW_CLIENT_BAD_SELECTOR", {
    message: `flow step takes a step or a task: "${name}" names a run`,
    hint: `Name one of its steps, such as ${name}/start; flow show ${name} lists them`,
  });
}
