/** `flow doctor`: what is wrong here, and what to do. Core looks and judges; this prints. */
import type { DoctorReport } from "@millrace/core/internal";
import { loadCore } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { renderDoctor } from "../render/doctor.ts";
import { isFlowErrorLike } from "../render/errors.ts";
import { COMMAND_VERSION } from "../version.ts";
import { type Command, type Context, DEBUG_FLAG, JSON_FLAG, STORE_FLAG } from "./command.ts";

export const doctorCommand: Command = {
  usage: "doctor [--json]",
  positionals: [],
  flags: [{ ...JSON_FLAG, help: "Print the report as one JSON object" }, STORE_FLAG, DEBUG_FLAG],
  examples: [["doctor", "exit code 1 when something cannot work as it is"]],
  notes:
    "Changes nothing and runs no code of flows. Works without a store, with a damaged one and outside of a project. Whether every stored value is whole is another check, which reads all of them.",
  async run(invocation, context) {
    const report = await look(invocation.text("store"), context);
    const { stdout } = context;
    stdout.write(invocation.isOn("json") ? `${JSON.stringify(report)}\n` : renderDoctor(report, stdout));
    return report.ok ? EXIT.done : EXIT.failed;
  },
};

/** A core that cannot even be loaded is a finding too, and the only one that can be made. */
async function look(store: string | undefined, { cwd, environment, now }: Context): Promise<DoctorReport> {
  try {
    const core = await loadCore();
    return await core.examine({
      ...(store === undefined ? {} : { store }),
      cwd,
      environment,
      commandVersion: COMMAND_VERSION,
      now,
    });
  } catch (error) {
    if (isFlowErrorLike(error)) throw error;
    const [found = ""] = String(error instanceof Error ? error.message : error).split("\n");
    return {
      ok: false,
      totals: { ok: 0, warn: 0, fail: 1 },
      findings: [
        {
          area: "installation",
          check: "millrace",
          status: "fail",
          found: `@millrace/core cannot be loaded: ${found}`,
          next: "Delete node_modules and install again with this very Node",
          facts: { node: process.versions.node, path: process.execPath, command: COMMAND_VERSION },
        },
      ],
    };
  }
}
