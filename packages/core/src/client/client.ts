/**
 * The reading side: flows -> runs -> tasks -> artifacts, typed by the flow's class.
 *
 *     const run = await client.runs(Train).latest({ tags: ["prod:v1"] });
 *     const modeler = await run.data.modeler;
 *
 * Invariants: every value is checked against its digest when it is read; a run is a snapshot of its record (ask again for
 * a newer one); "newest" and tags mean what they mean for upstreams (lineage room). Not here: running flows, deleting.
 */

import type { ArtifactStore } from "../artifact/artifact-store.ts";
import type { Problem } from "../errors/flow-error.ts";
import type { Flow } from "../flow/flow.ts";
import type { FlowClass, Run, Runs } from "../flow/public-types.ts";
import type { MetadataStore, RunRow } from "../metadata/metadata-store.ts";
import { ArtifactReader, type ArtifactReaderOptions } from "./artifact-reader.ts";
import { findRun } from "./find-run.ts";
import { type FlowName, flowNameOf } from "./flow-name.ts";
import { RunHandle } from "./run-handle.ts";
import { RunList } from "./run-list.ts";
import type { ProjectView } from "./validate/project-view.ts";

export interface ClientOptions extends ArtifactReaderOptions {
  /** Preferred where a flow is named without its project. */
  readonly project?: string;
  /** Who moves tags. */
  readonly actor?: string;
  readonly host?: string;
  /** Called when several runs carry the tags asked for; by default a warning of the process. */
  readonly onWarning?: (problem: Problem) => void;
  /** Variables that hold the secrets of webhooks. Default: none. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly now?: () => Date;
}

/** What the handles of one client share. */
export interface ClientContext {
  readonly metadata: MetadataStore;
  readonly artifacts: Partial<Pick<ArtifactStore, "examine" | "pieces">>;
  /** What is installed where the store was asked for. */
  readonly projectView?: () => Promise<ProjectView>;
  readonly reader: ArtifactReader;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly project: string | undefined;
  readonly actor: string;
  readonly host: string;
  readonly warn: (problem: Problem) => void;
  readonly now: () => Date;
}

/** Reads runs and their artifacts from one store. */
export class Client {
  readonly #context: ClientContext;

  constructor(
    stores: {
      readonly metadata: MetadataStore;
      readonly artifacts: Pick<ArtifactStore, "payload" | "file"> & Partial<Pick<ArtifactStore, "examine" | "pieces">>;
      readonly projectView?: () => Promise<ProjectView>;
    },
    options: ClientOptions = {},
  ) {
    this.#context = {
      metadata: stores.metadata,
      artifacts: stores.artifacts,
      ...(stores.projectView === undefined ? {} : { projectView: stores.projectView }),
      environment: options.environment ?? {},
      reader: new ArtifactReader(stores, options),
      project: options.project,
      actor: options.actor ?? "unknown",
      host: options.host ?? "unknown",
      warn: options.onWarning ?? warnProcess,
      now: options.now ?? (() => new Date()),
    };
  }

  /**
   * The runs of a flow, newest first.
   *
   * @param flow  the class, or its name with or without project: `"Train"`, `"shop/Train"`
   */
  runs<T extends Flow>(flow: FlowClass<T> | string): Runs<T> {
    const name: FlowName = flowNameOf(flow);
    return new RunList<T>(this.#context, name, {});
  }

  /**
   * One run of whatever flow: `Train/17`, a run id, `Train@prod:v1`.
   *
   * @throws FlowError FLOW_CLIENT_BAD_SELECTOR, FLOW_LINEAGE_NO_RUN and others of the lineage room
   */
  async run<T extends Flow = Flow>(selector: string): Promise<Run<T>> {
    const { project } = this.#context;
    const found = await findRun(this.#context.metadata, selector, {
      successfulOnly: true,
      ...(project === undefined ? {} : { ownProject: project }),
    });
    for (const warning of found.warnings) this.#context.warn(warning);
    return this.handle<T>(found.run);
  }

  /** The typed handle of a record that is at hand already. */
  handle<T extends Flow = Flow>(run: RunRow): RunHandle<T> {
    return new RunHandle<T>(this.#context, run);
  }
}

function warnProcess(problem: Problem): void {
  process.emitWarning(problem.message, {
    type: "MillraceWarning",
    code: problem.code,
    ...(problem.hint === undefined ? {} : { detail: problem.hint }),
  });
}
