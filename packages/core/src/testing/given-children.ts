/**
 * Runs the flows that steps of a run in memory ask for: by their classes, in the same memory and with the same slots. Their
 * upstreams are runs that are there: those that the test has given, and those that steps have run before.
 */
import { createHash } from "node:crypto";
import path from "node:path";
import type { Digest } from "../artifact/artifact.ts";
import { FlowError } from "../errors/flow-error.ts";
import type { RunEvent } from "../events/run-event.ts";
import { defineFlow } from "../flow/define-flow.ts";
import type { Flow } from "../flow/flow.ts";
import { lateTagsOf } from "../flow/late-tags.ts";
import type { FlowClass } from "../flow/public-types.ts";
import { resolveUpstreams } from "../lineage/resolve-upstreams.ts";
import { runName } from "../lineage/run-name.ts";
import { canonicalJson } from "../metadata/canonical-json.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import type { FlowRequest } from "../runner/protocol.ts";
import type { Slots } from "../runner/slots.ts";
import type { ChildRun, ChildRunner } from "../wiring/child-runs.ts";
import type { MemoryStores } from "../wiring/open-memory-stores.ts";
import { decodedParams, inputsDigestOf } from "../wiring/packaged-children.ts";
import { takenOver } from "../wiring/resume/taken-over.ts";
import type { RunSignals } from "../wiring/running.ts";
import type { DriveOptions, driveGiven } from "./drive-given.ts";
import { createGivenRun, type GivenRunOptions, NOBODY, PROJECT, prepareGiven } from "./given-run.ts";
import { seededRunId } from "./seeded-run-id.ts";

export interface GivenChildrenOptions {
  readonly stores: MemoryStores;
  readonly slots: Slots;
  /** What the run whose steps call was given. */
  readonly options: DriveOptions;
  /** Given, because it is what calls for this. */
  readonly drive: typeof driveGiven;
}

type Subject = FlowClass<Flow>;

export class GivenChildren implements ChildRunner<Subject> {
  readonly #options: GivenChildrenOptions;

  constructor(options: GivenChildrenOptions) {
    this.#options = options;
  }

  /** @throws FlowError FLOW_RUNNER_SUB_FLOW for a flow that is named by its file */
  async find(request: FlowRequest): Promise<{ readonly subject: Subject; readonly inputsDigest: Digest }> {
    const { flow } = request;
    if (flow.kind === "file")
      throw new FlowError("FLOW_RUNNER_SUB_FLOW", {
        message: `Cannot run "${path.basename(flow.file)}" inside a flow in memory: files are not loaded there`,
        hint: "Import its class and give that: run(Other)",
        context: { file: flow.file },
      });
    const { params, name } = defineFlow(flow.flowClass, { project: PROJECT });
    const secrets = params.filter(({ secret }) => secret).map((param) => param.name);
    return { subject: flow.flowClass, inputsDigest: inputsDigestOf({ flow: name }, request, secrets) };
  }

  async run(child: ChildRun<Subject>, emit: (event: RunEvent) => void, signals: RunSignals): Promise<RunRow> {
    const { stores, slots, options, drive } = this.#options;
    const seed = seedOf(child, options.seed);
    const { clock, environment, output } = options;
    const given: GivenRunOptions = {
      id: seededRunId(seed),
      createdAt: clock?.now() ?? new Date(),
      params: decodedParams(child.request),
      tags: child.request.tags,
      environment,
      parent: child.key,
      resolve: async ({ definition, flowClass, fields }) => {
        const { upstreams } = await resolveUpstreams({
          metadata: stores.metadata,
          definitions: definition.upstreams,
          requests: child.request.upstreams,
          lateTags: lateTagsOf(flowClass, fields),
          now: new Date(),
          strict: false,
          project: PROJECT,
        });
        return { edges: upstreams, missing: new Map() };
      },
    };
    const run = child.known === undefined ? await this.#begin(child, given, emit) : await this.#goOn(child, given);
    const within = { slots, ancestors: child.ancestors, signals, emit };
    const { row } = await drive(stores, run, {
      seed,
      within,
      slots: slots.capacity,
      ...("takenOver" in run ? { takenOver: run.takenOver } : {}),
      ...(clock === undefined ? {} : { clock }),
      ...(environment === undefined ? {} : { environment }),
      ...(output === undefined ? {} : { output }),
    });
    return row;
  }

  async #begin({ subject }: ChildRun<Subject>, given: GivenRunOptions, emit: (event: RunEvent) => void) {
    const run = await createGivenRun(this.#options.stores, subject, given);
    const { row } = run;
    const flow = `${row.flow.project}/${row.flow.name}`;
    const facts = { run: runName(row), runId: row.id, flow, tags: row.tags, store: "memory", storeIsNew: false };
    emit({ kind: "run.created", at: row.createdAt, ...facts });
    return run;
  }

  /** The same run, under a new execution, with what it has finished. */
  async #goOn({ subject, known }: ChildRun<Subject>, given: GivenRunOptions) {
    const { metadata } = this.#options.stores;
    const { sequence } = known!;
    const prepared = await prepareGiven(subject, given);
    await metadata.beginExecution({ run: sequence, at: given.createdAt, runner: NOBODY, actor: "test", command: [] });
    const finished = await metadata.finishedTasks(sequence);
    return { prepared, row: (await metadata.run(sequence))!, takenOver: takenOver(finished) };
  }
}

/** The same in each run of a test with the same seed, whatever order the calls come in. */
function seedOf({ key, ancestors }: ChildRun<Subject>, seed: number): number {
  return createHash("sha256").update(canonicalJson({ key, ancestors, seed })).digest().readUInt32BE();
}
