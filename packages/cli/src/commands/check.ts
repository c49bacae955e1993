/** `flow check FILE`: loads a flow and checks its structure, all problems at once, without running a step. */
import { loadCore } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { count } from "../render/text.ts";
import { type Command, DEBUG_FLAG, JSON_FLAG } from "./command.ts";

export const checkCommand: Command = {
  usage: "check FILE [--flow NAME]",
  positionals: [{ name: "FILE", help: "The flow file", required: true }],
  flags: [
    { name: "flow", type: "text", placeholder: "NAME", help: "Only this flow of the file" },
    JSON_FLAG,
    DEBUG_FLAG,
  ],
  examples: [["check train.ts", "exit code 2 when something is wrong"]],
  async run(invocation, { stdout }) {
    const core = await loadCore();
    const pack = await core.preparePackage(invocation.positionals[0]!);
    const only = invocation.text("flow");
    const flows = only === undefined ? pack.flows : [core.selectFlow(pack, only)];
    const problems: import("@millrace/core/internal").Problem[] = [];
    for (const { definition } of flows) {
      try {
        core.checkGraph(definition);
      } catch (error) {
        if (!core.isFlowError(error) || error.code === "FLOW_INTERNAL") throw error;
        problems.push(
          ...(error.problems.length > 0
            ? error.problems
            : [
                { code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) },
              ]),
        );
      }
    }
    if (problems.length > 0) throw core.problemsError(`Cannot accept "${invocation.positionals[0]}"`, problems);
    if (invocation.isOn("json")) {
      const body = flows.map(({ definition }) => ({
        flow: { project: definition.project, name: definition.name },
        steps: definition.steps.length,
        parameters: definition.params.length,
        upstreams: definition.upstreams.map(({ name }) => name),
      }));
      stdout.write(`${JSON.stringify({ ok: true, package: pack.digest, flows: body })}\n`);
    } else {
      for (const { definition } of flows)
        stdout.write(
          `${stdout.paint.green("✓")} ${stdout.paint.bold(definition.name)}: ${count(definition.steps.length, "step")}, ${count(definition.params.length, "parameter")}, ${count(definition.upstreams.length, "upstream")}\n`,
        );
    }
    return EXIT.done;
  },
};
