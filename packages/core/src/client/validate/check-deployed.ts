import { runName } from "../../lineage/run-name.ts";
import type { MetadataReader, RunRow } from "../../metadata/metadata-store.ts";
import { runArtifacts } from "./check-artifacts.ts";
import type { CheckSink } from "./report.ts";

/** Earlier runs of the flow that are searched for what is deployed. */
const MAX_RUNS = 200;

/** V20: what a deployment says that it runs is an artifact of this run. If not, of which one it is. */
export async function checkDeployed(
  metadata: MetadataReader,
  run: RunRow,
  deployed: string,
  sink: CheckSink,
): Promise<void> {
  const digest = deployed.toLowerCase().replace(/^sha256:/, "");
  const name = runName(run);
  const here = await nameIn(metadata, run, digest);
  if (here !== undefined) {
    sink.add("V20", "pass", `what is deployed is ${here} of ${name}`, { digest });
    return;
  }
  for (const other of await metadata.runs({ flow: run.flow, status: "succeeded", limit: MAX_RUNS })) {
    const there = other.id === run.id ? undefined : await nameIn(metadata, other, digest);
    if (there === undefined) continue;
    sink.add("V20", "fail", `what is deployed is ${there} of ${runName(other)}, and not of ${name}`, { digest });
    return;
  }
  sink.add("V20", "fail", `what is deployed (${digest}) is no artifact of ${name}, nor of the runs before it`, {
    digest,
  });
}

async function nameIn(metadata: MetadataReader, run: RunRow, digest: string): Promise<string | undefined> {
  if (run.packageDigest === digest) return "the code package";
  const found = (await runArtifacts(metadata, run)).find((artifact) => artifact.digest === digest);
  return found === undefined ? undefined : `"${found.name}"`;
}
