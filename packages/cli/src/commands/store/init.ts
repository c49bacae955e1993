/** `flow store init [STORE]`: makes a store, and finds out whether it can be used before a run depends on it. */
import type { InitReport } from "@millrace/core/internal";
import { loadCore } from "../../core.ts";
import { EXIT } from "../../exit-code.ts";
import type { Paint } from "../../render/output.ts";
import { type Command, DEBUG_FLAG, JSON_FLAG, STORE_FLAG } from "../command.ts";

export const storeInitCommand: Command = {
  usage: "store init [STORE] [--save]",
  positionals: [
    { name: "STORE", help: "A folder, or the URL of a bucket (default: the store that is set)", required: false },
  ],
  flags: [
    { name: "save", type: "boolean", help: "Name it in millrace.json, for everyone who works in this workspace" },
    { ...JSON_FLAG, help: "Print the answer as one JSON object" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["store init s3://team-data/models --save", "bucket and credentials are checked"],
    ["store init", ""],
  ],
  notes:
    "A store that is there already stays as it is. The first run makes a store too: this says beforehand what is wrong with a bucket.",
  async run(invocation, context) {
    const core = await loadCore();
    const [store = invocation.text("store")] = invocation.positionals;
    const report = await core.initStore({
      ...(store === undefined ? {} : { store }),
      ...(invocation.positionals.length > 0 ? { setting: "STORE" } : {}),
      cwd: context.cwd,
      environment: context.environment,
      isSaved: invocation.isOn("save"),
    });
    const { stdout } = context;
    const isSet = report.savedIn !== undefined || store === undefined;
    const next = `flow run FILE${isSet ? "" : ` --store ${core.shellWord(store ?? "")}`}`;
    stdout.write(invocation.isOn("json") ? `${JSON.stringify(report)}\n` : render(report, next, stdout.paint));
    return EXIT.done;
  },
};

function render({ place, folder, isNew, probe, savedIn }: InitReport, next: string, paint: Paint): string {
  const lines = [
    `${paint.green("✓")} ${paint.bold(isNew ? `Made a store in ${place}` : `There is a store in ${place}`)}`,
  ];
  if (place !== folder) lines.push(`  its records are in ${folder}`);
  if (probe?.warning !== undefined) lines.push(`${paint.yellow("!")} ${probe.warning}`);
  if (savedIn !== undefined) lines.push(`  named in ${savedIn}`);
  return `${[...lines, `  ${next}`].join("\n")}\n`;
}
