/**
 * The runs that steps of one run start: found again by the call that started them, or begun.
 *
 *     no run yet ──▶ started            succeeded ──▶ taken over
 *     running in this process ──▶ awaited       failed, cancelled, lost ──▶ continued
 *
 * A call is known by the place of its task, by all that the run is given, and by how many equal calls the task has made
 * before it. Calls that differ may come in another order in the next attempt, and still find their runs.
 */

import path from "node:path";
import type { Digest } from "../artifact/artifact.ts";
import { digestOf } from "../artifact/digest.ts";
import { decodeValue } from "../artifact/value-codec.ts";
import { runRecord } from "../client/run-record.ts";
import { FlowError } from "../errors/flow-error.ts";
import type { RunEvent } from "../events/run-event.ts";
import type { EnvironmentRecord } from "../events/run-record.ts";
import { runName } from "../lineage/run-name.ts";
import { canonicalJson } from "../metadata/canonical-json.ts";
import type { ChildRunKey } from "../metadata/execution.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import { selectFlow } from "../package/flow-file.ts";
import type { FlowPackage, PackagedFlow } from "../package/flow-package.ts";
import { loadPackage } from "../package/load-package.ts";
import { preparePackage } from "../package/prepare-package.ts";
import type { ChildCall, EndedChild, KnownChild } from "../runner/child-calls.ts";
import type { FlowRequest } from "../runner/protocol.ts";
import { elapsedMs } from "../util/elapsed.ts";
import type { RunFamily } from "./run-family.ts";
import type { RunSignals } from "./running.ts";
import type { StartRunRequest, startRun } from "./start-run.ts";

export interface ChildRunsOptions {
  readonly family: RunFamily;
  /** Names of the runs that this one stands inside of, the outermost first. */
  readonly ancestors: readonly string[];
  /** The run whose steps call. */
  readonly row: RunRow;
  /** What it was started with. */
  readonly request: Pick<
    StartRunRequest,
    "package" | "stores" | "cwd" | "environment" | "command" | "readFile" | "cache"
  >;
  readonly environment: EnvironmentRecord;
  readonly endNow: AbortSignal;
  /** Given, because it is what calls for this. */
  readonly start: typeof startRun;
}

/** A run that is under way for the newest of the calls that found it. */
interface UnderWay {
  readonly ended: Promise<RunRow>;
  readonly stop: AbortController;
  readonly endNow: AbortController;
  caller: ChildCall;
  known?: Omit<KnownChild, "how">;
}

type Requested = StartRunRequest & { readonly within: NonNullable<StartRunRequest["within"]> };

export class ChildRuns {
  readonly #options: ChildRunsOptions;
  readonly #underWay = new Map<string, UnderWay>();
  /** Equal calls that a task has made since it began, by the digest of what they were given. */
  readonly #equalCalls = new Map<string, Map<Digest, number>>();

  constructor(options: ChildRunsOptions) {
    this.#options = options;
  }

  /**
   * Gives a call its run, and waits for the end of it.
   *
   * @throws FlowError FLOW_RUNNER_TOO_DEEP, and all that refuses a run before it begins
   */
  async start(call: ChildCall): Promise<EndedChild> {
    const place = `${call.step}/${call.path}`;
    if (call.index === 0) this.#equalCalls.set(place, new Map());
    const counts = this.#equalCalls.get(place) ?? new Map<Digest, number>();
    this.#refuseDepth(call);
    const { pack, flow } = await this.#flowOf(call.request);
    const inputsDigest = digestOfInputs(pack, flow, call.request);
    const count = counts.get(inputsDigest) ?? 0;
    counts.set(inputsDigest, count + 1);
    const key: ChildRunKey = {
      run: this.#options.row.sequence,
      step: call.step,
      path: call.path,
      call: count,
      inputsDigest,
    };
    const row = await this.#runOf(call, key, pack, flow);
    return { id: row.id, status: row.status as EndedChild["status"] };
  }

  async #runOf(call: ChildCall, key: ChildRunKey, pack: FlowPackage, flow: PackagedFlow): Promise<RunRow> {
    const keyText = canonicalJson(key);
    for (;;) {
      const before = this.#underWay.get(keyText);
      if (before === undefined) return await this.#begin(keyText, call, key, pack, flow);
      if (!before.stop.signal.aborted) return await this.#join(before, call);
      await before.ended.catch(() => {}); // It is being stopped: what is left of it is continued then.
    }
  }

  /** An earlier attempt has started the run, and it has not ended yet. */
  #join(underWay: UnderWay, call: ChildCall): Promise<RunRow> {
    underWay.caller = call;
    if (underWay.known !== undefined) call.onKnown({ ...underWay.known, how: "running" });
    obey(call, underWay);
    return underWay.ended;
  }

  #begin(keyText: string, call: ChildCall, key: ChildRunKey, pack: FlowPackage, flow: PackagedFlow): Promise<RunRow> {
    const ended = Promise.withResolvers<RunRow>();
    const underWay: UnderWay = {
      ended: ended.promise,
      stop: new AbortController(),
      endNow: new AbortController(),
      caller: call,
    };
    obey(call, underWay);
    this.#underWay.set(keyText, underWay);
    this.#execute(underWay, key, pack, flow)
      .finally(() => this.#underWay.delete(keyText))
      .then(ended.resolve, ended.reject);
    return ended.promise;
  }

  async #execute(underWay: UnderWay, key: ChildRunKey, pack: FlowPackage, flow: PackagedFlow): Promise<RunRow> {
    const { request, start, endNow } = this.#options;
    const { metadata } = await request.stores.open();
    const known = await metadata.childRun(key);
    if (known?.status === "succeeded") {
      tell(underWay, known, "finished");
      underWay.caller.emit(await finishedEvent(metadata, known));
      return known;
    }
    const signals: RunSignals = {
      stop: underWay.stop.signal,
      endNow: AbortSignal.any([endNow, underWay.endNow.signal]),
    };
    const emit = (event: RunEvent): void => {
      if (event.kind === "run.created") {
        const { run, runId, flow: name } = event;
        tellFacts(underWay, { run, runId: runId as RunRow["id"], flow: name }, "new");
      }
      underWay.caller.emit(event);
    };
    const asked = await this.#requestOf(underWay.caller.request, key, pack, flow);
    if (known === undefined) return await start(asked, emit, signals);
    tell(underWay, known, "continued");
    const { resumeRun } = await import("./resume/resume-run.ts"); // Which starts runs like this one: it comes later.
    // The key holds the digest of the package, so that it is the same run that goes on.
    const subject = { row: known, package: pack, flow, before: flow.definition, isKept: false };
    // It reads from the runs that it is pinned to, whatever the same words would find now.
    return await resumeRun({ ...asked, upstreams: {}, subject }, emit, signals);
  }

  async #requestOf(
    { params, tags, upstreams }: FlowRequest,
    parent: ChildRunKey,
    pack: FlowPackage,
    flow: PackagedFlow,
  ): Promise<Requested> {
    const { request, family, ancestors, row, environment } = this.#options;
    await loadPackage(pack); // Its modules register the classes that values may be of.
    const values = Object.fromEntries(
      Object.entries(params).map(([name, { codec, payload }]) => [
        name,
        decodeValue(codec, payload, { unknownClasses: "refuse" }),
      ]),
    );
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
      fields: { flags: {}, values },
      tags,
      upstreams,
      within: {
        family,
        ancestors: [...ancestors, runName(row)],
        parent,
        environment,
        root: request.package.root,
      },
    };
  }

  /** The flow that is asked for; one of the calling run's own file is taken from the very package that runs. */
  async #flowOf({ flow }: FlowRequest): Promise<{ readonly pack: FlowPackage; readonly flow: PackagedFlow }> {
    if (flow.kind === "class") throw new FlowError("FLOW_INTERNAL", { message: "A class has reached another thread" });
    const own = this.#options.request.package;
    const isOwn = path.join(own.root, own.manifest.entry) === flow.file;
    const pack = isOwn ? own : await preparePackage(flow.file);
    return { pack, flow: selectFlow(pack, flow.name) };
  }

  #refuseDepth({ request: { flow } }: ChildCall): void {
    const { family, ancestors, row } = this.#options;
    const chain = [...ancestors, runName(row)];
    if (chain.length <= family.maxDepth) return;
    const name = flow.kind === "class" ? flow.flowClass.name : (flow.name ?? path.basename(flow.file));
    throw new FlowError("FLOW_RUNNER_TOO_DEEP", {
      message: `Cannot run ${name} inside ${chain.at(-1)}: ${chain.length - 1} runs stand inside each other already, and ${family.maxDepth} may: ${chain.join(" → ")}`,
      hint: "Let a flow that starts itself stop doing so at some depth, or allow more with --max-depth",
      context: { chain, maxDepth: family.maxDepth },
    });
  }
}

/** Stops the run when its caller says so, as long as no later call has taken it over. */
function obey(call: ChildCall, underWay: UnderWay): void {
  const follow = (signal: AbortSignal, target: AbortController): void => {
    const pass = (): void => {
      if (underWay.caller === call) target.abort(signal.reason);
    };
    if (signal.aborted) pass();
    else signal.addEventListener("abort", pass, { once: true });
  };
  follow(call.stop, underWay.stop);
  follow(call.endNow, underWay.endNow);
}

function tell(underWay: UnderWay, row: RunRow, how: KnownChild["how"]): void {
  const flow = `${row.flow.project}/${row.flow.name}`;
  tellFacts(underWay, { run: runName(row), runId: row.id, flow }, how);
}

function tellFacts(underWay: UnderWay, known: Omit<KnownChild, "how">, how: KnownChild["how"]): void {
  underWay.known = known;
  underWay.caller.onKnown({ ...known, how });
}

async function finishedEvent(metadata: Parameters<typeof runRecord>[0], row: RunRow): Promise<RunEvent> {
  const at = row.finishedAt!;
  return {
    kind: "run.finished",
    at,
    status: "succeeded",
    durationMs: elapsedMs(row.createdAt, at),
    record: await runRecord(metadata, row),
  };
}

/**
 * Of all that decides what a run does: its code, and what it is given. Values of secret parameters are left out: a digest
 * of a short secret is as good as the secret.
 */
function digestOfInputs(pack: FlowPackage, { definition }: PackagedFlow, request: FlowRequest): Digest {
  const secrets = new Set(definition.params.filter(({ secret }) => secret).map(({ name }) => name));
  const params = Object.entries(request.params)
    .filter(([name]) => !secrets.has(name))
    .map(([name, { codec, digest }]) => [name, { codec, digest }] as const);
  const facts = {
    package: pack.digest,
    flow: definition.name,
    params: Object.fromEntries(params),
    tags: [...request.tags].sort(),
    upstreams: request.upstreams,
  };
  return digestOf([Buffer.from(canonicalJson(facts))]);
}
