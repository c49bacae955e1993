/** `flow diff RUN RUN`: how two runs differ. */
import type { OpenStores, RunDiff, RunRow } from "@millrace/core/internal";
import type { Core } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { renderDiff } from "../render/run-diff.ts";
import { plain } from "../render/text.ts";
import { type Command, DEBUG_FLAG, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { selectRun, withStores } from "./with-stores.ts";

export const diffCommand: Command = {
  usage: "diff RUN RUN [--code] [--all] [--exit-code]",
  positionals: [
    { name: "RUN", help: "A run: Train/16, Train@prod:v1", required: true },
    { name: "RUN", help: "The run that it is compared with", required: true },
  ],
  flags: [
    { name: "code", type: "boolean", help: "Show the changed lines of the sources too" },
    { name: "all", type: "boolean", help: "List also what is the same" },
    { name: "exit-code", type: "boolean", help: "End with 1 when they differ in what makes a result" },
    { ...JSON_FLAG, help: "Print the comparison as one JSON object" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["diff Train@prod:v1 Train", "what is new in the newest run"],
    ["diff Train/16 Train/17 --code", "with the changed lines"],
  ],
  notes:
    "--exit-code looks at flow, status, code, parameters, configs, files, upstreams, data and artifacts; metrics, duration and environment are shown and do not count.",
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const runs: RunRow[] = [];
      for (const text of invocation.positionals)
        runs.push((await selectRun(core, stores, text, context, { command: "flow diff", most: "run" })).run);
      const [left, right] = runs as [RunRow, RunRow];
      const diff = await core.diffRuns(stores.metadata, left, right);
      const code = invocation.isOn("code") ? await codeDiffs(core, stores, left, right, diff) : [];
      const { stdout } = context;
      if (invocation.isOn("json"))
        stdout.write(`${JSON.stringify(invocation.isOn("code") ? { ...diff, code } : diff)}\n`);
      else {
        stdout.write(
          renderDiff(diff, {
            paint: stdout.paint,
            width: stdout.columns(),
            all: invocation.isOn("all"),
            duration: core.formatDuration,
          }),
        );
        for (const { path, text } of code) stdout.write(`\n${codeText(path, text, stdout.paint)}`);
      }
      return invocation.isOn("exit-code") && !diff.isSame ? EXIT.failed : EXIT.done;
    }),
};

/** The changed lines of each source that is not the same; where a package does not hold one, that is said instead. */
async function codeDiffs(
  core: Core,
  stores: OpenStores,
  left: RunRow,
  right: RunRow,
  diff: RunDiff,
): Promise<readonly { readonly path: string; readonly text: string }[]> {
  const changed = new Set(diff.sections.code.filter(({ state }) => state !== "same").map(({ name }) => name));
  const [one, other] = await Promise.all([core.runCode(stores, left), core.runCode(stores, right)]);
  const paths = [...new Set([...one.sources, ...other.sources].map(({ path }) => path))];
  return paths
    .filter((path) => changed.has(path))
    .map((path) => {
      const [from, to] = [one, other].map(({ sources }) => sources.find((source) => source.path === path));
      const isKept = [from, to].every((side) => side === undefined || side.text !== undefined);
      return {
        path,
        text: isKept ? core.unifiedDiff(from?.text ?? "", to?.text ?? "") : "(a code package does not hold it)\n",
      };
    });
}

function codeText(path: string, text: string, paint: Parameters<typeof renderDiff>[1]["paint"]): string {
  const lines = text.split("\n").map((line) => {
    const shown = line.startsWith("@@") ? paint.cyan(line) : plain(line);
    return line.startsWith("+") ? paint.green(shown) : line.startsWith("-") ? paint.red(shown) : shown;
  });
  return `${paint.bold(`--- ${plain(path)}\n+++ ${plain(path)}`)}\n${lines.join("\n")}`;
}
