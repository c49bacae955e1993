/** `flow graph FILE`: the steps of a flow as a drawing, without running it. */
import { loadCore } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { type Command, DEBUG_FLAG, JSON_FLAG } from "./command.ts";

export const graphCommand: Command = {
  usage: "graph FILE [--format text|dot|mermaid|json] [--flow NAME]",
  positionals: [{ name: "FILE", help: "The flow file", required: true }],
  flags: [
    {
      name: "format",
      type: "text",
      placeholder: "FORMAT",
      choices: ["text", "dot", "mermaid", "json"],
      help: "text (default), dot (Graphviz), mermaid or json",
    },
    { name: "flow", type: "text", placeholder: "NAME", help: "Which flow, when the file holds several" },
    { ...JSON_FLAG, help: "The same as --format json" },
    DEBUG_FLAG,
  ],
  examples: [
    ["graph train.ts", ""],
    ["graph train.ts --format dot | dot -Tsvg > train.svg", ""],
  ],
  async run(invocation, { stdout }) {
    const core = await loadCore();
    const pack = await core.preparePackage(invocation.positionals[0]!);
    const flow = core.selectFlow(pack, invocation.text("flow"));
    const graph = core.checkGraph(flow.definition);
    const format = invocation.isOn("json") ? "json" : (invocation.text("format") ?? "text");
    const text =
      format === "json"
        ? JSON.stringify(core.graphJson(graph))
        : format === "dot"
          ? core.drawDot(graph)
          : format === "mermaid"
            ? core.drawMermaid(graph)
            : core.drawText(graph);
    stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    return EXIT.done;
  },
};
