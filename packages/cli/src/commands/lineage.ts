/** `flow lineage SELECTOR [ARTIFACT]`: what a run was made from, or what was made from it. */
import type { Lineage, OpenStores, RunRow } from "@millrace/core/internal";
import type { Core } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { renderLineage } from "../render/lineage-tree.ts";
import { type Command, type Context, DEBUG_FLAG, type Invocation, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { exportOpenLineage } from "./lineage-export.ts";
import { selectRun, withStores } from "./with-stores.ts";

export const lineageCommand: Command = {
  usage: "lineage SELECTOR [ARTIFACT] [--up|--down] [--depth N]",
  positionals: [
    { name: "SELECTOR", help: "A run: Train/17, Train@prod:v1, perhaps with .artifact behind it", required: true },
    { name: "ARTIFACT", help: "Only one artifact of it", required: false },
  ],
  flags: [
    { name: "up", type: "boolean", help: "What it was made from (default)" },
    { name: "down", type: "boolean", help: "What was made from it" },
    { name: "depth", type: "number", min: 0, placeholder: "N", help: "Links away from the run (default 5)" },
    { name: "limit", type: "number", min: 1, placeholder: "N", help: "Runs at most (default 1000)" },
    {
      name: "format",
      type: "text",
      placeholder: "FORMAT",
      choices: ["tree", "dot", "mermaid", "json"],
      help: "tree (default), dot (Graphviz), mermaid or json",
    },
    { ...JSON_FLAG, help: "The same as --format json" },
    {
      name: "openlineage",
      type: "text",
      placeholder: "FILE|URL",
      notEmpty: "a file or an address",
      help: "Write OpenLineage events to a file (- is stdout), or send them",
    },
    {
      name: "key-env",
      type: "text",
      placeholder: "NAME",
      help: "Environment variable with the key of the endpoint (default OPENLINEAGE_API_KEY)",
    },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["lineage Predict/3", "which model and which rows it was made from"],
    ["lineage Train/17 modeler", "which task made it, and what that read"],
    ["lineage Train@prod:v1 --down", "who read from it"],
    ["lineage Predict --format dot | dot -Tsvg > lineage.svg", ""],
    ["lineage Predict/3 --openlineage http://localhost:5000/api/v1/lineage", "send it to a server of your own"],
  ],
  notes:
    "Up leads along upstreams, reads through the client, flows inside steps, forks and the step cache. Each run stands in full once; elsewhere its name alone is given.",
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const { run, artifact } = await subjectOf(core, stores, invocation, context);
      const lineage = await trace(core, stores, run, artifact, invocation);
      const { stdout, stderr } = context;
      const target = invocation.text("openlineage");
      if (target !== undefined) return await exportOpenLineage(core, stores, { lineage, target }, invocation, context);
      const format = invocation.isOn("json") ? "json" : (invocation.text("format") ?? "tree");
      stdout.write(
        format === "json"
          ? `${JSON.stringify(lineage)}\n`
          : format === "dot"
            ? core.lineageDot(lineage)
            : format === "mermaid"
              ? core.lineageMermaid(lineage)
              : renderLineage(lineage, core, { paint: stdout.paint, width: stdout.columns() }),
      );
      if (format === "tree" && lineage.links.length === 0)
        stderr.write(lineage.direction === "up" ? "It was made from no other run\n" : "No run was made from it\n");
      const cut = cutText(lineage);
      if (cut !== undefined) stderr.write(stderr.paint.dim(`${cut}\n`));
      return EXIT.done;
    }),
};

async function subjectOf(core: Core, stores: OpenStores, invocation: Invocation, context: Context) {
  const [text, named] = invocation.positionals;
  const { run, selector } = await selectRun(core, stores, text!, context, {
    command: "flow lineage",
    most: "artifact",
  });
  if (selector.step !== undefined) {
    throw new core.FlowError("FLOW_CLIENT_BAD_SELECTOR", {
      message: `flow lineage takes a run or an artifact of it: "${text}" names the step "${selector.step}"`,
      hint: `Type flow lineage ${core.runName(run)}, or flow show ${text} for what a task read`,
      context: { selector: text! },
    });
  }
  if (selector.artifact !== undefined && named !== undefined) {
    throw new core.FlowError("FLOW_CLI_UNEXPECTED_ARGUMENT", {
      message: `flow lineage follows one artifact: "${selector.artifact}" and "${named}" are named`,
      hint: "Keep one of the two",
    });
  }
  return { run, artifact: selector.artifact ?? named };
}

async function trace(
  core: Core,
  { metadata }: OpenStores,
  run: RunRow,
  artifact: string | undefined,
  invocation: Invocation,
): Promise<Lineage> {
  if (invocation.isOn("up") && invocation.isOn("down")) {
    throw new core.FlowError("FLOW_CLI_BAD_VALUE", {
      message: "--up and --down lead to different answers",
      hint: "Keep one of the two",
    });
  }
  const depth = invocation.number("depth");
  const limit = invocation.number("limit");
  const options = {
    direction: invocation.isOn("down") ? ("down" as const) : ("up" as const),
    ...(depth === undefined ? {} : { depth }),
    ...(limit === undefined ? {} : { limit }),
  };
  return artifact === undefined
    ? await core.traceLineage(metadata, run, options)
    : await core.traceArtifact(metadata, run, artifact, options);
}

/** That something was left out, and how to see it. */
function cutText({ isWhole, runs, limit, depth }: Lineage): string | undefined {
  if (isWhole) return undefined;
  return runs.length >= limit
    ? `Cut at ${limit} runs: there are more, --limit ${limit * 10} shows them`
    : `Cut at depth ${depth}: there is more behind it, --depth ${Math.max(1, depth * 2)} shows it`;
}
