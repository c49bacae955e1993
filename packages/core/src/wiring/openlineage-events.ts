/**
 * Recorded runs as events of OpenLineage (https://openlineage.io, specification 2-0-2): for each run a START, and a
 * COMPLETE, FAIL or ABORT when it is over. Namespaces and names depend on project, flow and artifact alone, so that every
 * store and every export calls one thing by one name; the version of a dataset is the digest of its value.
 */
import type { ArtifactStore } from "../artifact/artifact-store.ts";
import { MILLRACE_VERSION } from "../config/version.ts";
import type { Lineage } from "../events/lineage.ts";
import { runName } from "../lineage/run-name.ts";
import type { ArtifactRow, MetadataReader, RunRow } from "../metadata/metadata-store.ts";
import { readManifest } from "../metadata/stored-columns.ts";
import { DatasetSchemas, type SchemaField } from "./dataset-schemas.ts";

const PRODUCER = `https://www.npmjs.com/package/@millrace/core/v/${MILLRACE_VERSION}`;
const SPEC = "https://openlineage.io/spec";
const EVENT = `${SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent`;

/** A part of an event that says by whom and by which schema it is. */
type Facet = { readonly _producer: string; readonly _schemaURL: string } & Readonly<Record<string, unknown>>;
type Facets = Readonly<Record<string, Facet>>;

interface Dataset {
  readonly namespace: string;
  readonly name: string;
  readonly facets: Facets;
}

/** One event, as it is written to a file or sent. */
export interface OpenLineageEvent {
  readonly eventType: "START" | "COMPLETE" | "FAIL" | "ABORT";
  readonly eventTime: string;
  readonly producer: string;
  readonly schemaURL: string;
  readonly run: { readonly runId: string; readonly facets: Facets };
  readonly job: { readonly namespace: string; readonly name: string; readonly facets: Facets };
  readonly inputs: readonly (Dataset & { readonly inputFacets?: Facets })[];
  readonly outputs: readonly Dataset[];
}

/**
 * The events of all runs of a lineage that are in the store, the oldest run first.
 *
 * @param artifacts values of tables are looked at in it, for their columns; without it declared schemas alone are told
 */
export async function* openLineageEvents(
  metadata: MetadataReader,
  lineage: Pick<Lineage, "runs">,
  artifacts?: Pick<ArtifactStore, "payload">,
): AsyncGenerator<OpenLineageEvent> {
  const schemas = new DatasetSchemas(metadata, artifacts);
  const here = lineage.runs.filter(({ isHere }) => isHere);
  const oldestFirst = here.toSorted((left, right) => ((left.createdAt ?? "") < (right.createdAt ?? "") ? -1 : 1));
  for (const { id } of oldestFirst) {
    const run = await metadata.runById(id as RunRow["id"]);
    if (run !== undefined) yield* eventsOf(metadata, run, schemas);
  }
}

async function* eventsOf(
  metadata: MetadataReader,
  run: RunRow,
  schemas: DatasetSchemas,
): AsyncGenerator<OpenLineageEvent> {
  const job = await jobOf(metadata, run);
  const parent = await parentOf(metadata, run);
  const inputs = await inputsOf(metadata, run, schemas);
  const facets: Facets = {
    ...(parent === undefined ? {} : { parent }),
    processing_engine: facet("facets/1-1-0/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet", {
      name: "Millrace",
      version: run.environment.millrace,
    }),
    millrace_run: own("RunFacet", {
      name: runName(run),
      tags: run.tags,
      parameters: run.parameters,
      secretParameters: run.secretParameters,
      ...(run.origin === undefined ? {} : { forkOf: run.origin.run }),
    }),
  };
  const common = { producer: PRODUCER, schemaURL: EVENT, job, inputs };
  yield {
    eventType: "START",
    eventTime: (run.startedAt ?? run.createdAt).toISOString(),
    run: { runId: run.id, facets },
    ...common,
    outputs: [],
  };
  const end = endOf(run);
  if (end === undefined) return;
  const message = run.failure?.error;
  yield {
    ...end,
    run: {
      runId: run.id,
      facets: {
        ...facets,
        ...(end.eventType !== "FAIL" || message === undefined
          ? {}
          : {
              errorMessage: facet("facets/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet", {
                message: message.message,
                programmingLanguage: "TypeScript",
                ...(message.stack === undefined ? {} : { stackTrace: message.stack }),
              }),
            }),
      },
    },
    ...common,
    outputs: await outputsOf(metadata, run, schemas),
  };
}

/** A run that is lost has no end of its own: it was last seen alive by its heartbeat. */
function endOf(run: RunRow): Pick<OpenLineageEvent, "eventType" | "eventTime"> | undefined {
  const eventTime = (run.finishedAt ?? run.execution.heartbeatAt).toISOString();
  switch (run.status) {
    case "succeeded":
      return { eventType: "COMPLETE", eventTime };
    case "failed":
      return { eventType: "FAIL", eventTime };
    case "cancelled":
    case "lost":
      return { eventType: "ABORT", eventTime };
    default:
      return undefined;
  }
}

async function jobOf(metadata: MetadataReader, run: RunRow): Promise<OpenLineageEvent["job"]> {
  const pack = run.packageDigest === undefined ? undefined : await metadata.package(run.packageDigest);
  const entry = pack === undefined ? undefined : readManifest<{ readonly entry?: string }>(pack.manifest).entry;
  const { git } = run.environment;
  const url = git?.remote === undefined ? undefined : repositoryUrl(git.remote);
  return {
    ...jobName(run.flow),
    facets: {
      jobType: facet("facets/2-0-3/JobTypeJobFacet.json#/$defs/JobTypeJobFacet", {
        processingType: "BATCH",
        integration: "MILLRACE",
        jobType: "FLOW",
      }),
      ...(run.packageDigest === undefined
        ? {}
        : {
            millrace_codePackage: own("JobFacet", { digest: `sha256:${run.packageDigest}`, ...(entry && { entry }) }),
          }),
      ...(git === undefined || url === undefined
        ? {}
        : {
            sourceCodeLocation: facet(
              "facets/1-0-1/SourceCodeLocationJobFacet.json#/$defs/SourceCodeLocationJobFacet",
              {
                type: "git",
                url,
                repoUrl: url,
                version: git.sha,
                ...(git.branch === undefined ? {} : { branch: git.branch }),
                ...(entry === undefined ? {} : { path: entry }),
              },
            ),
          }),
    },
  };
}

async function parentOf(metadata: MetadataReader, run: RunRow): Promise<Facet | undefined> {
  if (run.parent === undefined) return undefined;
  const parent = (await metadata.runById(run.parent.run)) ?? (await metadata.deletedRun(run.parent.run));
  if (parent === undefined) return undefined;
  return facet("facets/1-1-0/ParentRunFacet.json#/$defs/ParentRunFacet", {
    run: { runId: parent.id },
    job: jobName(parent.flow),
  });
}

/** What tasks read of other runs, and what the run was given as configs and files; each once. */
async function inputsOf(
  metadata: MetadataReader,
  run: RunRow,
  schemas: DatasetSchemas,
): Promise<OpenLineageEvent["inputs"]> {
  const inputs = new Map<string, OpenLineageEvent["inputs"][number]>();
  for (const { kind, ...value } of await metadata.runValues(run.sequence))
    if (kind === "config" || kind === "file") inputs.set(`given ${value.name}`, dataset(run.flow, value, kind));
  const { reads } = await metadata.lineage({ runs: [run.id], direction: "up" });
  for (const { from, upstream, artifact, codec, digest, tasks } of reads) {
    const here = await metadata.runById(from);
    const producer = here ?? (await metadata.deletedRun(from));
    const value = { name: artifact, codec, digest };
    const fields = await schemas.fieldsOf(here ?? { flow: { project: "", name: from } }, value);
    inputs.set(`${from} ${artifact} ${digest} ${upstream ?? ""}`, {
      // Of a run that was never here nothing is known but its id, which is one name everywhere too.
      ...dataset(producer?.flow ?? { project: "", name: from }, value, "artifact", fields),
      inputFacets: {
        millrace_read: own("InputDatasetFacet", {
          runId: from,
          ...(producer === undefined ? {} : { run: runName(producer) }),
          ...(upstream === undefined ? {} : { upstream }),
          tasks,
        }),
      },
    });
  }
  return [...inputs.values()];
}

async function outputsOf(metadata: MetadataReader, run: RunRow, schemas: DatasetSchemas): Promise<readonly Dataset[]> {
  const outputs: Dataset[] = [];
  if (run.endTask === undefined) return outputs;
  for (const row of await metadata.visibleArtifacts(run.endTask))
    outputs.push(dataset(run.flow, row, "artifact", await schemas.fieldsOf(run, row)));
  return outputs;
}

type Flow = { readonly project: string; readonly name: string };

function dataset(
  flow: Flow,
  { name, codec, digest, sizeBytes }: Omit<ArtifactRow, "sizeBytes"> & { readonly sizeBytes?: number },
  kind: string,
  fields?: readonly SchemaField[],
): Dataset {
  const { namespace } = jobName(flow);
  return {
    namespace,
    name: `${flow.name}.${name}`,
    facets: {
      version: facet("facets/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet", {
        datasetVersion: `sha256:${digest}`,
      }),
      dataSource: facet("facets/1-0-1/DatasourceDatasetFacet.json#/$defs/DatasourceDatasetFacet", {
        name: namespace,
        uri: namespace,
      }),
      ...(fields === undefined
        ? {}
        : { schema: facet("facets/1-1-1/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet", { fields }) }),
      millrace_value: own("DatasetFacet", { kind, codec, ...(sizeBytes === undefined ? {} : { sizeBytes }) }),
    },
  };
}

/** A project may be named `@acme/shop`: as one part of a URI it is `%40acme%2Fshop`. */
function jobName({ project, name }: Flow): { readonly namespace: string; readonly name: string } {
  return { namespace: `millrace://${encodeURIComponent(project)}`, name };
}

/** The address of a repository without user and password; undefined for what is no URL, such as a path. */
function repositoryUrl(remote: string): string | undefined {
  const short = /^(?:[^@/:]+@)?([^/:]+):(?!\/\/)(.+)$/.exec(remote); // git@host:path, as scp has it
  try {
    const url = new URL(short === null ? remote : `ssh://${short[1]}/${short[2]}`);
    if (url.host === "") return undefined;
    url.username = "";
    url.password = "";
    url.search = "";
    url.hash = "";
    return url.href;
  } catch {
    return undefined;
  }
}

function facet(schema: string, facts: Readonly<Record<string, unknown>>): Facet {
  return { _producer: PRODUCER, _schemaURL: `${SPEC}/${schema}`, ...facts };
}

/** Facts that the specification has no facet for: they hold to its base alone. */
function own(base: string, facts: Readonly<Record<string, unknown>>): Facet {
  return facet(`2-0-2/OpenLineage.json#/$defs/${base}`, facts);
}
