import type { RunId } from "../ids/run-id.ts";
import type { MetadataReader, UpstreamRow } from "../metadata/metadata-store.ts";

/** `model.upstreams.source`, as a read of a run further up is recorded, as `["model", "source"]`. */
export function parseUpstreamPath(text: string): readonly string[] {
  return text.split(".upstreams.");
}

/**
 * The run that recorded edges lead to from a run's own edges, by the path that a read names; undefined when one of the
 * edges or runs on the way is not recorded.
 */
export async function pinnedProducer(
  metadata: MetadataReader,
  edges: readonly UpstreamRow[],
  path: readonly string[],
): Promise<RunId | undefined> {
  const [first, ...rest] = path;
  let producer = edges.find((edge) => edge.name === first)?.producer;
  for (const name of rest) {
    const run = producer === undefined ? undefined : await metadata.runById(producer);
    if (run === undefined) return undefined;
    producer = (await metadata.upstreams(run.sequence)).find((edge) => edge.name === name)?.producer;
  }
  return producer;
}
