/**
 * `flow run FILE`: the flags of the command and, once the flow is read, the flow's own. Progress goes to stderr, the
 * outcome to stdout; with `--json` each event is a line of stdout and the last one holds the whole record.
 */
import { faultsError } from "../arguments/faults-error.ts";
import type { Flag } from "../arguments/flag.ts";
import { flagClashes, flowFlags } from "../arguments/flow-flags.ts";
import { FILE_ARGUMENT, readFlowWords, readRunWords } from "../arguments/run-arguments.ts";
import { loadCore } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { renderCommandHelp } from "../render/help.ts";
import { type Command, type Context, DEBUG_FLAG, HELP_FLAG, invocation, STORE_FLAG } from "./command.ts";
import { CONDUCT_FLAGS, conductOf, optional } from "./conduct-flags.ts";
import { followRun } from "./follow-run.ts";
import { commandTable } from "./table.ts";

const OWN_FLAGS: readonly Flag[] = [
  { name: "tag", type: "list", placeholder: "TAG", help: "Tag the run, such as prod:v1" },
  { name: "tag-reason", type: "text", placeholder: "TEXT", help: "Why, for tags whose policy asks; kept in the log" },
  { name: "params", type: "text", placeholder: "FILE", help: "Parameters from a JSON file; flags go before it" },
  { name: "flow", type: "text", placeholder: "NAME", help: "Which flow, when the file holds several" },
  { name: "max-workers", type: "number", min: 1, help: "Tasks at the same time (default: one a core)" },
  ...CONDUCT_FLAGS,
  { name: "strict", type: "boolean", help: "Fail when several runs match an upstream, instead of taking the newest" },
  STORE_FLAG,
  { name: "json", type: "boolean", help: "Print events as JSON, one a line; the last holds the run's whole record" },
  { name: "quiet", type: "boolean", short: "q", help: "No progress: the outcome, warnings and that a store was made" },
  DEBUG_FLAG,
  HELP_FLAG,
];

export const runCommand: Command = {
  usage: "run FILE [--PARAMETER VALUE …] [--UPSTREAM-tag TAG | --UPSTREAM-run RUN] [--tag TAG …]",
  positionals: [FILE_ARGUMENT],
  flags: OWN_FLAGS,
  examples: [
    ["run train.ts --tag prod:v1", "run it and tag the run"],
    ["run predict.ts --model-tag prod:v1", "read the newest successful run with this tag"],
    ["run train.ts --help", "the parameters of this flow"],
  ],
  notes:
    "Flags of the flow itself: --PARAMETER VALUE for each parameter (--no-PARAMETER turns a boolean off, a list is given by repeating its flag), --NAME-tag and --NAME-run for each upstream. Words behind -- are no flags.",
  readsOwnWords: true,
  run: (_, context) => run(context),
};

async function run(context: Context): Promise<number> {
  const entry = commandTable.find(({ name }) => name === "run")!;
  const first = readRunWords(context.words, OWN_FLAGS);
  const wantsHelp = first.values.get("help") === true;
  if (wantsHelp && first.file === undefined) {
    context.stdout.write(renderCommandHelp(entry, runCommand, context.stdout));
    return EXIT.done;
  }
  if (first.file === undefined)
    throw await faultsError("flow run", [
      ...first.faults,
      ...(first.faults.some(({ kind }) => kind === "missing-argument")
        ? []
        : [{ kind: "missing-argument", argument: "FILE" } as const]),
    ]);

  const core = await loadCore();
  const pack = await core.preparePackage(first.file);
  const flow = core.selectFlow(pack, first.values.get("flow") as string | undefined);
  const flags = flowFlags(flow.definition);
  const clashes = flagClashes(flags, OWN_FLAGS);
  if (clashes.length > 0) throw core.problemsError(`Cannot make flags for "${flow.definition.name}"`, clashes);
  if (wantsHelp) {
    const groups = [
      { title: `Parameters of ${flow.definition.name}`, flags: flags.params, others: flags.secrets },
      { title: "Upstreams", flags: flags.upstreams },
    ];
    const usage = `run ${first.file} [flags]`;
    context.stdout.write(
      renderCommandHelp(
        entry,
        { ...runCommand, usage, examples: [], positionals: [] },
        context.stdout,
        groups,
        flow.definition.summary ?? `Run ${flow.definition.name}`,
      ),
    );
    return EXIT.done;
  }
  const words = readFlowWords(context.words, OWN_FLAGS, flow.definition);
  if (words.faults.length > 0) throw await faultsError(`flow run ${first.file}`, words.faults);

  const own = invocation(words.values, words.positionals);
  const stores = core.planStores({
    ...optional("store", own.text("store")),
    cwd: context.cwd,
    environment: context.environment,
    create: true,
  });
  try {
    const running = core.startRun({
      package: pack,
      flow,
      stores,
      flags: words.flags,
      ...optional("paramsFile", own.text("params")),
      environment: context.environment,
      tags: [...own.list("tag")],
      ...optional("tagReason", own.text("tag-reason")),
      upstreams: words.upstreams,
      ...optional("maxWorkers", own.number("max-workers")),
      strict: own.isOn("strict"),
      ...conductOf(own),
      cwd: context.cwd,
      command: ["flow", "run", ...context.words],
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
