/** `flow logs SELECTOR`: what the tasks of a run wrote, and with `--follow` what they write until the run is over. */
import type { LogQuery, OpenStores, RunRow, Selector } from "@millrace/core/internal";
import type { Core } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { createJsonView, createLogView, createRawView, type LogView } from "../render/log-view.ts";
import { statusMark, statusWord } from "../render/status.ts";
import { type Command, type Context, DEBUG_FLAG, type Invocation, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { selectRun, withStores } from "./with-stores.ts";

export const logsCommand: Command = {
  usage: "logs SELECTOR [--follow] [--attempt N] [--stderr | --stdout] [--timestamps]",
  positionals: [
    { name: "SELECTOR", help: "A run (Train/17), step (Train/17/fold) or task (Train/17/fold/1.2)", required: true },
  ],
  flags: [
    { name: "follow", type: "boolean", short: "f", help: "Go on with what comes, until the run is over" },
    { name: "attempt", type: "text", placeholder: "N", help: "Only this attempt of each task; last is the newest one" },
    { name: "stderr", type: "boolean", help: "Only what was written to stderr" },
    { name: "stdout", type: "boolean", help: "Only what was written to stdout" },
    { name: "timestamps", type: "boolean", short: "t", help: "Put before each line when it was written (UTC)" },
    {
      name: "raw",
      type: "boolean",
      help: "The bytes as they were written, on a terminal too, without names and marks",
    },
    { ...JSON_FLAG, help: "Print one JSON object for each piece of output" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["logs Train/17/evaluate/3", "of one task, as it was written"],
    ["logs Train/17 --follow", "of all tasks, each line behind its task, until the run is over"],
    ["logs Train/17/evaluate/3 --attempt last", "without what its failed attempts wrote"],
  ],
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const { run, selector } = await selectRun(core, stores, invocation.positionals[0]!, context, {
        command: "flow logs",
        most: "task",
      });
      const query = queryOf(core, selector, invocation);
      const view = await viewOf(core, stores, run, selector, invocation, context);
      const state = { isEmpty: true };
      const end = invocation.isOn("follow")
        ? await follow(core, stores, run, query, view, state, context)
        : await print(core, stores, run, query, view, state, context);
      view.end();
      if (state.isEmpty && context.stdout.isOpen()) sayNothing(core, run, query, context);
      if (end !== undefined && !invocation.isOn("json")) sayEnd(core, end, context);
      return EXIT.done;
    }),
};

async function print(
  core: Core,
  { metadata }: OpenStores,
  run: RunRow,
  query: LogQuery,
  view: LogView,
  state: { isEmpty: boolean },
  { stdout }: Context,
): Promise<undefined> {
  for await (const entry of core.readLogs(metadata, run, query)) {
    state.isEmpty = false;
    view.add(entry);
    await stdout.drained();
    if (!stdout.isOpen()) return;
  }
}

/** Gives the run as it ended; undefined when nobody reads any more. */
async function follow(
  core: Core,
  { metadata }: OpenStores,
  run: RunRow,
  query: LogQuery,
  view: LogView,
  state: { isEmpty: boolean },
  { stdout, stderr }: Context,
): Promise<RunRow | undefined> {
  let hasWaited = false;
  const gone = new AbortController();
  const entries = core.followLogs(metadata, run, query, {
    signal: gone.signal,
    onLive: () => view.live(),
    wait: (ms) => {
      if (!stdout.isOpen()) gone.abort();
      if (!hasWaited && state.isEmpty) stderr.write(stderr.paint.dim("Waiting for output …\n"));
      hasWaited = true;
      view.idle();
      return new Promise((resolve) => setTimeout(resolve, ms));
    },
  });
  while (true) {
    const next = await entries.next();
    if (next.done === true) return gone.signal.aborted ? undefined : next.value;
    state.isEmpty = false;
    view.add(next.value);
    await stdout.drained();
    if (!stdout.isOpen()) return undefined;
  }
}

function queryOf(core: Core, selector: Selector, invocation: Invocation): LogQuery {
  const [wantsStdout, wantsStderr] = [invocation.isOn("stdout"), invocation.isOn("stderr")];
  const attempt = attemptOf(core, invocation.text("attempt"));
  return {
    ...(selector.step === undefined ? {} : { step: selector.step }),
    ...(selector.path === undefined ? {} : { path: selector.path }),
    ...(wantsStdout === wantsStderr ? {} : { stream: wantsStderr ? "stderr" : "stdout" }),
    ...(attempt === undefined ? {} : { attempt }),
  };
}

function attemptOf(core: Core, text: string | undefined): LogQuery["attempt"] {
  if (text === undefined || text === "last") return text;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new core.FlowError("FLOW_CLI_BAD_VALUE", {
    message: `Cannot take "${text}" for --attempt: it must be a whole number from 1, or last`,
    hint: "Type --attempt 2 or --attempt last",
  });
}

async function viewOf(
  core: Core,
  { metadata }: OpenStores,
  run: RunRow,
  selector: Selector,
  invocation: Invocation,
  { stdout }: Context,
): Promise<LogView> {
  const [isRaw, hasTimes, isJson] = [invocation.isOn("raw"), invocation.isOn("timestamps"), invocation.isOn("json")];
  if (isRaw && (hasTimes || isJson)) {
    throw new core.FlowError("FLOW_CLI_BAD_VALUE", {
      message: `Cannot print the bytes as they were written and ${isJson ? "as JSON" : "with times"}`,
      hint: `Leave --raw or ${isJson ? "--json" : "--timestamps"} away`,
    });
  }
  if (isJson) return createJsonView(stdout);
  if (isRaw) return createRawView(stdout);
  const attempt = invocation.text("attempt");
  const which = await lookAtTasks(core, metadata, run, selector);
  return createLogView(stdout, { ...which, isRetried: which.isRetried && attempt === undefined, hasTimes });
}

/** Whether all output that is asked for comes from one task, and whether that has several attempts by now. */
async function lookAtTasks(
  core: Core,
  metadata: OpenStores["metadata"],
  run: RunRow,
  { step, path }: Selector,
): Promise<{ readonly isOneTask: boolean; readonly isRetried: boolean }> {
  const several = { isOneTask: false, isRetried: false };
  if (step === undefined) return several;
  let first: string | undefined;
  let isRetried = false;
  for await (const task of core.listTasks(metadata, run, { step, ...(path === undefined ? {} : { path }) })) {
    first ??= task.path;
    if (task.path !== first) return several;
    isRetried ||= task.attempt > 1;
  }
  // A step inside a foreach may have begun with one of its tasks only.
  const isOneTask = path !== undefined || first === "" || (first !== undefined && core.isOver(run.status));
  return { isOneTask, isRetried };
}

function sayNothing(core: Core, run: RunRow, { step, path, stream }: LogQuery, { stderr }: Context): void {
  const where = [core.runName(run), step, path].filter((part) => part !== undefined).join("/");
  stderr.write(`${where} wrote nothing${stream === undefined ? "" : ` to ${stream}`}\n`);
}

/** Why no more comes. */
function sayEnd(core: Core, run: RunRow, { stderr }: Context): void {
  const { paint } = stderr;
  const name = core.runName(run);
  const took =
    run.finishedAt === undefined || run.status === "lost"
      ? ""
      : ` after ${core.formatDuration(core.elapsedMs(run.execution.startedAt, run.finishedAt))}`;
  const why = run.status === "lost" ? ": what ran it is gone" : "";
  const next = run.status === "succeeded" ? [] : [`  ${paint.dim(`flow show ${name}     flow resume ${name}`)}\n`];
  stderr.write(
    [
      `${statusMark(run.status, paint)} ${paint.bold(name)} ${statusWord(run.status, paint)}${took}${why}\n`,
      ...next,
    ].join(""),
  );
}
