/** Runs the flows that steps ask for from their code packages, in the store and with the slots of the run that asks. */
import path from "node:path";
import type { Digest } from "../artifact/artifact.ts";
import { digestOf } from "../artifact/digest.ts";
import { decodeValue } from "../artifact/value-codec.ts";
import { FlowError } from "../errors/flow-error.ts";
import type { RunEvent } from "../events/run-event.ts";
import type { EnvironmentRecord } from "../events/run-record.ts";
import { canonicalJson } from "../metadata/canonical-json.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import { selectFlow } from "../package/flow-file.ts";
import type { FlowPackage, PackagedFlow } from "../package/flow-package.ts";
import { loadPackage } from "../package/load-package.ts";
import { preparePackage } from "../package/prepare-package.ts";
import type { FlowRequest } from "../runner/protocol.ts";
import type { ChildRun, ChildRunner } from "./child-runs.ts";
import type { RunFamily } from "./run-family.ts";
import type { RunSignals } from "./running.ts";
import type { StartRunRequest, startRun } from "./start-run.ts";

export interface PackagedChildrenOptions {
  readonly family: RunFamily;
  /** What the run whose steps call was started with. */
  readonly request: Pick<
    StartRunRequest,
    "package" | "stores" | "cwd" | "environment" | "command" | "readFile" | "cache"
  >;
  readonly environment: EnvironmentRecord;
  /** Given, because it is what calls for this. */
  readonly start: typeof startRun;
}

interface Subject {
  readonly pack: FlowPackage;
  readonly flow: PackagedFlow;
}

type Requested = StartRunRequest & { readonly within: NonNullable<StartRunRequest["within"]> };

export class PackagedChildren implements ChildRunner<Subject> {
  readonly #options: PackagedChildrenOptions;

  constructor(options: PackagedChildrenOptions) {
    this.#options = options;
  }

  /** The flow that is asked for; one of the calling run's own file is taken from the very package that runs. */
  async find(request: FlowRequest): Promise<{ readonly subject: Subject; readonly inputsDigest: Digest }> {
    const { flow: asked } = request;
    if (asked.kind === "class") throw new FlowError("FLOW_INTERNAL", { message: "A class has reached another thread" });
    const own = this.#options.request.package;
    const isOwn = path.join(own.root, own.manifest.entry) === asked.file;
    const pack = isOwn ? own : await preparePackage(asked.file);
    const flow = selectFlow(pack, asked.name);
    const secrets = flow.definition.params.filter(({ secret }) => secret).map(({ name }) => name);
    return {
      subject: { pack, flow },
      inputsDigest: inputsDigestOf({ package: pack.digest, flow: flow.definition.name }, request, secrets),
    };
  }

  async run(child: ChildRun<Subject>, emit: (event: RunEvent) => void, signals: RunSignals): Promise<RunRow> {
    const { pack, flow } = child.subject;
    const asked = await this.#requestOf(child);
    if (child.known === undefined) return await this.#options.start(asked, emit, signals);
    const { resumeRun } = await import("./resume/resume-run.ts"); // Which starts runs like this one: it comes later.
    // The key holds the digest of the package, so that it is the same run that goes on.
    const subject = { row: child.known, package: pack, flow, before: flow.definition, isKept: false };
    // It reads from the runs that it is pinned to, whatever the same words would find now.
    return await resumeRun({ ...asked, upstreams: {}, subject }, emit, signals);
  }

  async #requestOf({ subject: { pack, flow }, request: asked, key, ancestors }: ChildRun<Subject>): Promise<Requested> {
    const { request, family, environment } = this.#options;
    await loadPackage(pack); // Its modules register the classes that values may be of.
    const { stores, cwd, environment: variables, command, readFile, cache } = request;
    return {
      stores,
      cwd,
      environment: variables,
      command,
      readFile,
      ...(cache === undefined ? {} : { cache }),
      package: pack,
      flow,
      fields: { flags: {}, values: decodedParams(asked) },
      tags: asked.tags,
      ...(asked.tagReason === undefined ? {} : { tagReason: asked.tagReason }),
      upstreams: asked.upstreams,
      within: { family, ancestors, parent: key, environment, root: request.package.root },
    };
  }
}

/** The values that a call has given, as the run that asks for them knows them. */
export function decodedParams({ params }: FlowRequest): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(params).map(([name, { codec, payload }]) => [
      name,
      decodeValue(codec, payload, { unknownClasses: "refuse" }),
    ]),
  );
}

/**
 * Of all that decides what a run does: its code, and what it is given. Values of secret parameters are left out: a digest
 * of a short secret is as good as the secret.
 *
 * @param code whatever tells the code of the flow from other code
 */
export function inputsDigestOf(
  code: Readonly<Record<string, string>>,
  request: FlowRequest,
  secrets: readonly string[],
): Digest {
  const params = Object.entries(request.params)
    .filter(([name]) => !secrets.includes(name))
    .map(([name, { codec, digest }]) => [name, { codec, digest }] as const);
  const facts = {
    ...code,
    params: Object.fromEntries(params),
    tags: [...request.tags].sort(),
    upstreams: request.upstreams,
  };
  return digestOf([Buffer.from(canonicalJson(facts))]);
}
