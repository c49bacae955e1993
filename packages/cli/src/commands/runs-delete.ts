/** `flow runs delete RUN …`: deletes runs by name, all of them or, when something keeps one, none. */
import type { RunRow } from "@millrace/core/internal";
import { EXIT } from "../exit-code.ts";
import { count } from "../render/text.ts";
import { type Command, DEBUG_FLAG, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { unreadableRun } from "./unreadable-run.ts";
import { refuseTail, withStores } from "./with-stores.ts";

export const runsDeleteCommand: Command = {
  usage: "runs delete RUN … [--reason TEXT] [--lost] [--dry-run]",
  positionals: [{ name: "RUN", help: "Train/17, or a run id", required: true, many: true }],
  flags: [
    { name: "reason", type: "text", placeholder: "TEXT", help: "Why; kept with the name of the run" },
    { name: "lost", type: "boolean", help: "Also runs whose process was lost, which could be resumed" },
    { name: "dry-run", type: "boolean", help: "Say whether they may go, and change nothing" },
    JSON_FLAG,
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["runs delete Train/3 Train/4", ""],
    ['runs delete Train/3 --reason "held data of a customer"', "who deleted it, when and why stays known"],
  ],
  notes:
    "A run is kept while it holds a tag, another run reads from it, or its parent or a child stays. Numbers are never given " +
    "again. The bytes of its values go with flow store gc.",
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const { stdout } = context;
      const runs = new Map<string, { readonly sequence: RunRow["sequence"]; readonly name: string }>();
      const problems: import("@millrace/core/internal").Problem[] = [];
      for (const text of invocation.positionals) {
        const selector = core.parseSelector(text);
        refuseTail(core, selector, { command: "flow runs delete", most: "run" });
        if (selector.runId === undefined && selector.number === undefined) {
          // "Train" and "Train@prod" mean another run tomorrow: what is deleted is named.
          problems.push({
            code: "FLOW_CLIENT_BAD_SELECTOR",
            message: `"${text}" names no run by its number`,
            hint: `Write its number, such as ${selector.flow}/17; flow runs ${selector.flow} lists them`,
          });
          continue;
        }
        try {
          const { run } = await core.findRun(stores.metadata, text);
          runs.set(run.id, { sequence: run.sequence, name: core.runName(run) });
        } catch (error) {
          if (!core.isFlowError(error)) throw error;
          // A run that cannot be read may still go.
          const unreadable = unreadableRun(core, error);
          if (unreadable !== undefined) {
            runs.set(unreadable.runId, unreadable);
            continue;
          }
          const { code, message, hint } = error;
          problems.push({ code, message, ...(hint === undefined ? {} : { hint }) });
        }
      }
      if (problems.length > 0) throw core.problemsError("Cannot delete these runs", problems);
      const { actor, host } = core.resolveConfig({ cwd: context.cwd, environment: context.environment });
      const reason = invocation.text("reason");
      const isDryRun = invocation.isOn("dry-run");
      const names = [...runs.values()].map((run) => run.name);
      const deleted = await core.deleteRuns(
        stores,
        [...runs.values()].map((run) => run.sequence),
        {
          withLost: invocation.isOn("lost"),
          dryRun: isDryRun,
          by: {
            actor,
            host,
            via: "flow runs delete",
            at: new Date(context.now()),
            ...(reason === undefined ? {} : { reason }),
          },
        },
      );
      if (invocation.isOn("json"))
        stdout.write(`${JSON.stringify({ isDryRun, deleted: names, runs: deleted.runs, tasks: deleted.tasks })}\n`);
      else
        stdout.write(
          `${stdout.paint.green("✓")} ${isDryRun ? "Would delete" : "Deleted"} ${stdout.paint.bold(names.join(", "))} with ${count(deleted.tasks, "task")}\n` +
            `  ${stdout.paint.dim("flow store gc")}\n`,
        );
      return EXIT.done;
    }),
};
