/**
 * `flow resume [RUN]`: goes on with a run that stopped, or runs a part of a run again. The flags of the flow come behind
 * the command's own, as with `flow run`.
 */
import { faultsError } from "../arguments/faults-error.ts";
import type { Flag } from "../arguments/flag.ts";
import { RUN_ARGUMENT, readResumeFlowWords, readResumeWords } from "../arguments/resume-arguments.ts";
import { loadCore } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { renderCommandHelp } from "../render/help.ts";
import { type Command, type Context, DEBUG_FLAG, HELP_FLAG, invocation, STORE_FLAG } from "./command.ts";
import { CONDUCT_FLAGS, conductOf, optional } from "./conduct-flags.ts";
import { followRun } from "./follow-run.ts";
import { commandTable } from "./table.ts";

const OWN_FLAGS: readonly Flag[] = [
  { name: "from", type: "text", placeholder: "STEP", notEmpty: "a step", help: "Run this step and all after it again" },
  { name: "changed", type: "boolean", help: "Run the steps whose code changed again, and all that depends on them" },
  { name: "same-code", type: "boolean", help: "Go on with the code that the run had, whatever its files are now" },
  { name: "tag", type: "list", placeholder: "TAG", help: "Tag the run, such as prod:v1" },
  { name: "tag-reason", type: "text", placeholder: "TEXT", help: "Why, for tags whose policy asks; kept in the log" },
  { name: "params", type: "text", placeholder: "FILE", help: "Parameters from a JSON file; flags go before it" },
  { name: "max-workers", type: "number", min: 1, help: "Tasks at the same time (default: as the run had it)" },
  ...CONDUCT_FLAGS,
  { name: "strict", type: "boolean", help: "Fail when several runs match an upstream, instead of taking the newest" },
  STORE_FLAG,
  { name: "json", type: "boolean", help: "Print events as JSON, one a line; the last holds the run's whole record" },
  { name: "quiet", type: "boolean", short: "q", help: "No progress: the outcome and warnings" },
  DEBUG_FLAG,
  HELP_FLAG,
];

export const resumeCommand: Command = {
  usage: "resume [RUN] [--from STEP] [--changed] [--PARAMETER VALUE …] [--tag TAG …]",
  positionals: [RUN_ARGUMENT],
  flags: OWN_FLAGS,
  examples: [
    ["resume", "go on with the newest run that failed, was cancelled or was lost"],
    ["resume Train/17 --from fit", "run fit and all after it again"],
    ["resume Train/17 --changed", "run what was edited again, and what depends on it"],
  ],
  notes:
    "Without any change the same run goes on. Changed code, parameters or upstreams and --from make a new run, which keeps what the old one has finished. A parameter that finished tasks read cannot change without --from a step before them.",
  readsOwnWords: true,
  run: (_, context) => run(context),
};

async function run(context: Context): Promise<number> {
  const entry = commandTable.find(({ name }) => name === "resume")!;
  const first = readResumeWords(context.words, OWN_FLAGS);
  if (first.values.get("help") === true) {
    context.stdout.write(renderCommandHelp(entry, resumeCommand, context.stdout));
    return EXIT.done;
  }
  const known = invocation(first.values, first.positionals);
  const core = await loadCore();
  const stores = core.planStores({
    ...optional("store", known.text("store")),
    cwd: context.cwd,
    environment: context.environment,
    create: false,
  });
  try {
    const subject = await core.findResumeSubject(stores, {
      ...optional("run", first.run),
      cwd: context.cwd,
      sameCode: known.isOn("same-code"),
      changed: known.isOn("changed"),
    });
    const words = readResumeFlowWords(context.words, OWN_FLAGS, subject.flow.definition);
    if (words.faults.length > 0) throw await faultsError("flow resume", words.faults);
    const own = invocation(words.values, words.positionals);
    const running = core.startResume({
      subject,
      stores,
      flags: words.flags,
      ...optional("paramsFile", own.text("params")),
      ...optional("from", own.text("from")),
      changed: own.isOn("changed"),
      tags: own.list("tag"),
      ...optional("tagReason", own.text("tag-reason")),
      upstreams: words.upstreams,
      ...optional("maxWorkers", own.number("max-workers")),
      ...conductOf(own),
      strict: own.isOn("strict"),
      environment: context.environment,
      cwd: context.cwd,
      command: ["flow", "resume", ...context.words],
    });
    return await followRun(running, context, {
      json: own.isOn("json"),
      quiet: own.isOn("quiet"),
      debug: own.isOn("debug"),
      formatDuration: core.formatDuration,
    });
  } finally {
    await stores.close();
  }
}
