/** `flow logs SELECTOR`: what the tasks of a run wrote. */
import { EXIT } from "../exit-code.ts";
import { createOutputLines } from "../render/output-lines.ts";
import { harmless } from "../render/text.ts";
import { type Command, DEBUG_FLAG, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { selectRun, withStores } from "./with-stores.ts";

export const logsCommand: Command = {
  usage: "logs SELECTOR [--stderr | --stdout]",
  positionals: [
    { name: "SELECTOR", help: "A run (Train/17), step (Train/17/fold) or task (Train/17/fold/1.2)", required: true },
  ],
  flags: [
    { name: "stderr", type: "boolean", help: "Only what was written to stderr" },
    { name: "stdout", type: "boolean", help: "Only what was written to stdout" },
    { ...JSON_FLAG, help: "Print one JSON object for each piece of output" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["logs Train/17/evaluate/3", "of one task, as it was written"],
    ["logs Train/17", "of all tasks, each line behind its task"],
  ],
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const { stdout } = context;
      const { run, selector } = await selectRun(core, stores, invocation.positionals[0]!, context, {
        command: "flow logs",
        most: "task",
      });
      const [wantsStdout, wantsStderr] = [invocation.isOn("stdout"), invocation.isOn("stderr")];
      const stream: "stdout" | "stderr" | undefined =
        wantsStdout === wantsStderr ? undefined : wantsStderr ? "stderr" : "stdout";
      const query = {
        ...(selector.step === undefined ? {} : { step: selector.step }),
        ...(selector.path === undefined ? {} : { path: selector.path }),
        ...(stream === undefined ? {} : { stream }),
      } as const;
      const tasks = await stores.metadata.taskCounts(run.sequence);
      const isOneTask =
        selector.path !== undefined ||
        tasks.filter(({ step }) => step === selector.step).reduce((sum, { count }) => sum + count, 0) === 1;
      const lines = createOutputLines({ paint: stdout.paint, print: (line) => stdout.write(`${line}\n`) });
      let last: string | undefined;
      let isEmpty = true;
      for await (const entry of core.readLogs(stores.metadata, run, query)) {
        isEmpty = false;
        if (invocation.isOn("json")) {
          stdout.write(`${JSON.stringify(entry)}\n`);
        } else if (isOneTask) {
          // To a file or pipe the bytes go as they were written; a terminal must not obey them.
          stdout.write(
            stdout.isTerminal ? harmless(entry.text, { colours: stdout.paint.isColorSupported }) : entry.text,
          );
        } else {
          if (last !== undefined && last !== entry.task) lines.finish(last);
          last = entry.task;
          lines.add(entry);
        }
      }
      lines.finish();
      if (isEmpty)
        context.stderr.write(
          `${[core.runName(run), selector.step, selector.path].filter((part) => part !== undefined).join("/")} wrote nothing${stream === undefined ? "" : ` to ${stream}`}\n`,
        );
      return EXIT.done;
    }),
};
