/** Loaded first: an older Node would fail somewhere in the middle of a run, by a function that it does not have. */
import { FlowError } from "../errors/flow-error.ts";

/** What stands as `engines` in package.json. */
const OLDEST = { major: 22, minor: 15 } as const;

/** @throws FlowError FLOW_CONFIG_OLD_NODE */
export function checkNode(version: string, program: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)) return;
  throw new FlowError("FLOW_CONFIG_OLD_NODE", {
    message: `Cannot load Millrace: it needs Node ${OLDEST.major}.${OLDEST.minor} or newer, this is Node ${version} (${program})`,
    hint: "Install a newer Node: https://nodejs.org, and see that it comes first in PATH",
  });
}

checkNode(process.versions.node, process.execPath);
