import { runName } from "../../lineage/run-name.ts";
import type { RunRow } from "../../metadata/metadata-store.ts";
import type { ProjectView } from "./project-view.ts";
import type { CheckSink } from "./report.ts";

/**
 * V08: the packages that a run's code imported are still those that are installed here, as far as their versions promise
 * compatibility; and so is Node.
 */
export function checkDrift(run: RunRow, project: ProjectView, isStrict: boolean, sink: CheckSink): void {
  const name = runName(run);
  const { node, packages = {} } = run.environment;
  let [same, unknown] = [0, 0];
  for (const [pack, then] of Object.entries(packages)) {
    const now = project.installedVersion(pack);
    if (now === undefined) {
      unknown++; // Another package of the workspace may have it: whether it is missing is not known here.
      continue;
    }
    const drift = driftOf(then, now);
    if (drift === "none") same++;
    else
      sink.add(
        "V08",
        drift === "breaking" || isStrict ? "fail" : "warn",
        `${name} ran with ${pack} ${then}, here is ${now}${drift === "breaking" ? ": it promises no compatibility" : ""}`,
      );
  }
  const major = (version: string): string => version.replace(/^v/, "").split(".")[0]!;
  if (major(node) !== major(project.node))
    sink.add("V08", isStrict ? "fail" : "warn", `${name} ran on Node ${node}, here is ${project.node}`);
  else if (same + unknown === Object.keys(packages).length)
    sink.add(
      "V08",
      "pass",
      `Node ${major(node)} and ${same} packages are those that ${name} ran with${unknown === 0 ? "" : `; ${unknown} more are not found from here`}`,
    );
}

/** By the rules of semantic versions: before 1.0 a minor version may break things, before 0.1 each one. */
function driftOf(then: string, now: string): "none" | "compatible" | "breaking" {
  const [a, b] = [then, now].map((version) => version.split(/[-+]/)[0]!.split(".").map(Number)) as [number[], number[]];
  const first = a.findIndex((part, index) => part !== b[index]);
  if (first < 0 || then === now) return "none";
  const fixed = a.findIndex((part) => part !== 0);
  if (first <= (fixed < 0 ? 2 : fixed)) return "breaking";
  return first === 1 ? "compatible" : "none";
}
