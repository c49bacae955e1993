/** `flow import FILE`: runs that `flow export` wrote, checked byte by byte and taken over all or none. */
import path from "node:path";
import type { ImportReport, ImportRequest, OpenStores } from "@millrace/core/internal";
import { type Core, loadCore } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import type { Paint } from "../render/output.ts";
import { byteSize, count, harmless } from "../render/text.ts";
import { type Command, type Context, DEBUG_FLAG, type Invocation, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { storeOf } from "./store/verify.ts";
import { TransferLine, untilSignal } from "./transfer-line.ts";

/** Runs that are spelt out; the rest is counted. */
const MAX_RUNS = 50;

type Run = ImportReport["runs"][number];

export const importCommand: Command = {
  usage: "import FILE [--tags] [--dry-run]",
  positionals: [{ name: "FILE", help: "A file of flow export; - is stdin", required: true }],
  flags: [
    { name: "tags", type: "boolean", help: "Give the runs the tags here that they hold there" },
    { name: "dry-run", type: "boolean", help: "Check the file and say what would come in; change nothing" },
    JSON_FLAG,
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["import model.tar --dry-run", ""],
    ["zstd -dc model.tar.zst | flow import -", ""],
  ],
  notes:
    "Imported runs are older than all runs of this store: no tag and no flow's name means another run afterwards than before. Their code is not run by importing.",
  async run(invocation, context) {
    const core = await loadCore();
    const isDryRun = invocation.isOn("dry-run");
    let stores = await openStores(core, invocation, context, !isDryRun);
    const isJson = invocation.isOn("json");
    const line = new TransferLine(context, "read", isJson);
    try {
      const file = invocation.positionals[0]!;
      const { actor, host } = core.resolveConfig({ cwd: context.cwd, environment: context.environment });
      const report = await untilSignal(context, ({ signal }) => {
        const request: ImportRequest = {
          from: file === "-" ? context.stdin() : path.resolve(context.cwd, file),
          name: file === "-" ? "standard input" : file,
          isDryRun,
          withTags: invocation.isOn("tags"),
          actor,
          host,
          at: new Date(context.now()),
          onProgress: line.show,
          signal,
        };
        const create = async () => (stores = await makeStore(core, invocation, context));
        const check = () => core.checkStorePlace(storeOf(invocation, context));
        return core.importRuns(stores ?? { create, check }, request);
      }).finally(() => line.end());
      if (typeof report === "number") return report;
      const { stdout } = context;
      if (isJson) stdout.write(`${JSON.stringify({ isDryRun, ...report })}\n`);
      else {
        if (stores?.isNew === true) context.stderr.write(`Made a new store in ${stores.place}\n`);
        stdout.write(
          renderReport(report, { isDryRun, file: core.shellWord(file), word: core.shellWord, paint: stdout.paint }),
        );
      }
      return EXIT.done;
    } finally {
      await stores?.close();
    }
  },
};

/** Undefined when there is none: it is made, as by `flow run`, when the file has been found good, and never by a dry run. */
async function openStores(
  core: Core,
  invocation: Invocation,
  context: Context,
  isWritten: boolean,
): Promise<OpenStores | undefined> {
  const store = storeOf(invocation, context);
  try {
    const stores = await core.openStores({ ...store, create: false });
    if (!isWritten) return stores;
    await stores.close();
  } catch (error) {
    if (core.isFlowError(error, "FLOW_CLIENT_NO_STORE")) return undefined;
    throw error;
  }
  return await makeStore(core, invocation, context);
}

function makeStore(core: Core, invocation: Invocation, context: Context): Promise<OpenStores> {
  return core.openStores({ ...storeOf(invocation, context), create: true });
}

interface Shown {
  readonly isDryRun: boolean;
  /** As a word of a command. */
  readonly file: string;
  /** A text as a word of a command. */
  readonly word: (text: string) => string;
  readonly paint: Paint;
}

function renderReport({ runs, blobs, sizeBytes }: ImportReport, shown: Shown): string {
  const { isDryRun, file, paint } = shown;
  const fresh = runs.filter(({ state }) => state === "new");
  const lines = runs.slice(0, MAX_RUNS).flatMap((run) => runLines(run, shown));
  if (runs.length > MAX_RUNS) lines.push(paint.dim(`  … ${runs.length - MAX_RUNS} more; --json lists them all`));
  const size = `${count(blobs, "value")}, ${byteSize(sizeBytes)}`;
  const outcome = isDryRun
    ? `${count(fresh.length, "run")} would come in`
    : fresh.length === 0
      ? "Nothing to import: all runs are here"
      : `${count(fresh.length, "run")} imported`;
  // What was asked for comes last: its upstreams are older.
  const first = fresh.at(-1)?.run ?? runs.at(-1)?.run;
  const next = isDryRun ? `flow import ${file}` : `flow show ${first}     flow validate ${first}`;
  return `${lines.join("\n")}\n${paint.green("✓")} ${paint.bold(outcome)} (${size})\n  ${paint.dim(next)}\n`;
}

/** A run with both of its names, and what is to be known about it. */
function runLines(run: Run, { isDryRun, paint, word }: Shown): readonly string[] {
  const there = harmless(run.from.run, { colours: false });
  const here = run.run === undefined ? paint.bold(there) : `${paint.bold(run.run)} ${paint.dim(`(${there} there)`)}`;
  const lines = [`  ${here}  ${run.status}${run.state === "present" ? paint.dim("  is here already") : ""}`];
  const note = (text: string): void => void lines.push(paint.dim(`    ${harmless(text, { colours: false })}`));
  const left = run.tagsThere.filter((tag) => !run.tags.includes(tag));
  if (left.length > 0 && isDryRun) note(`holds ${left.join(", ")} there`);
  else if (left.length > 0)
    note(`holds ${left.join(", ")} there, not here: flow tag add ${run.run} ${left.map(word).join(" ")}`);
  for (const { tag, by } of run.shadowed)
    note(`${tag} still means ${by}, which is newer: flow tag remove ${by} ${word(tag)}`);
  if (run.missing.length > 0) note(`leads to ${run.missing.slice(0, 5).join(", ")}, which did not come along`);
  return lines;
}
