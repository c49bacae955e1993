/**
 * What a step is run again on: the values of its run and the artifacts that were visible when it began, some of them
 * replaced. Nothing is written: what replaces them lives in memory, beside the store that is read.
 */
import type { Digest, NewBlob } from "../artifact/artifact.ts";
import type { ArtifactStore } from "../artifact/artifact-store.ts";
import { encodeValue } from "../artifact/value-codec.ts";
import { FlowError, type Problem, problemsError } from "../errors/flow-error.ts";
import { constantsOf } from "../flow/bind-flow.ts";
import { checkDeclaredArtifact } from "../flow/check-declared-artifact.ts";
import type { FlowDefinition } from "../flow/definition.ts";
import { type ResolvedField, resolveFields } from "../flow/resolve-fields.ts";
import { runName } from "../lineage/run-name.ts";
import type { ArtifactRow, RunRow, RunValueKind, TaskReader, TaskSequence } from "../metadata/metadata-store.ts";
import type { ReadyTask } from "../runner/scheduler/scheduler.ts";
import { nearestName } from "../util/nearest-name.ts";
import type { StepCode } from "./step-code.ts";

export interface StepInputsRequest {
  readonly run: RunRow;
  readonly task: ReadyTask;
  readonly code: StepCode;
  /** Reads the store. */
  readonly reader: TaskReader;
  /** Reads the store and writes to memory. */
  readonly artifacts: ArtifactStore;
  /** New values of parameters and of artifacts, as text, by name. */
  readonly set: ReadonlyMap<string, string>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => Promise<Uint8Array>;
}

export interface StepInputs {
  readonly reader: TaskReader;
  readonly fields: readonly ResolvedField[];
}

/**
 * @throws FlowError FLOW_CLIENT_NO_ARTIFACT for a name that is neither, FLOW_PARAMETER_…, with all problems at once;
 *   FLOW_FLOW_ARTIFACT_MISMATCH
 */
export async function stepInputs(request: StepInputsRequest): Promise<StepInputs> {
  const { run, task, code, reader, artifacts, set } = request;
  const before = task.inherits === undefined ? [] : reader.visibleArtifacts(task.inherits);
  refuseUnknown(request, before);
  const fields = await valuesOf(request);
  const blobs = new Map<Digest, NewBlob>();
  const keep = (name: string, value: unknown, path: string): ArtifactRow => {
    const encoded = encodeValue(value, { path });
    if (!blobs.has(encoded.digest)) blobs.set(encoded.digest, artifacts.storeSync(encoded));
    return { name, codec: encoded.codec, digest: encoded.digest, sizeBytes: encoded.sizeBytes };
  };
  const values: (ArtifactRow & { readonly kind: RunValueKind })[] = [];
  for (const { name, kind, value, secret } of fields)
    if (!secret) values.push({ ...keep(name, value, `this.${name}`), kind });
  for (const [name, value] of Object.entries(constantsOf(code.flowClass)))
    values.push({ ...keep(name, value, `this.${name}`), kind: "constant" });
  const inherited = before.map((row) => {
    const text = set.get(row.name);
    if (text === undefined) return row;
    const value = valueOfText(text);
    checkDeclaredArtifact(code.flowClass, row.name, value);
    return keep(row.name, value, `--set ${row.name}`);
  });
  const visibleArtifacts = (sequence: TaskSequence): readonly ArtifactRow[] =>
    sequence === task.inherits ? inherited : reader.visibleArtifacts(sequence);
  return {
    fields,
    reader: {
      runById: (id) => reader.runById(id),
      upstreams: (sequence) => reader.upstreams(sequence),
      itemPage: (split, index) => reader.itemPage(split, index),
      runValues: (sequence) => (sequence === run.sequence ? values : reader.runValues(sequence)),
      isAsLeft: (sequence) => reader.isAsLeft(sequence),
      visibleArtifacts,
      // What is set anew is seen by this task alone, not through the inputs of a join that start from the same task.
      leftBy: (sequences) => sequences.map((each) => ({ task: each, artifacts: visibleArtifacts(each) })),
      blob: (digest) => blobs.get(digest) ?? reader.blob(digest),
      cacheEntries: () => [], // One step alone is run because it is to be seen running.
      blobsOfTask: (sequence) => reader.blobsOfTask(sequence),
      close: () => reader.close(),
    },
  };
}

/** Parameters, configs and files: as the run had them, as `set` says, and by their defaults where the code has more now. */
async function valuesOf(request: StepInputsRequest): Promise<readonly ResolvedField[]> {
  const { run, code, reader, artifacts, set, environment, readFile } = request;
  const { definition, flowClass } = code;
  const names = new Set(fieldNames(definition));
  const flags = Object.fromEntries([...set].filter(([name]) => names.has(name)));
  const values: Record<string, unknown> = {};
  for (const row of reader.runValues(run.sequence)) {
    if (!names.has(row.name) || set.has(row.name)) continue;
    values[row.name] = artifacts.loadSync(row, reader.blob(row.digest), {
      subject: `${row.kind} "${row.name}" of ${runName(run)}`,
      unknownClasses: "refuse",
    });
  }
  const resolved = await resolveFields(flowClass, { flags, values, environment, readFile });
  if (resolved.problems.length > 0)
    throw problemsError(`Cannot run "${request.task.step}" of ${runName(run)} again`, resolved.problems);
  return resolved.fields;
}

function fieldNames({ params, configs, files }: FlowDefinition): readonly string[] {
  return [...params, ...configs, ...files].map(({ name }) => name);
}

/** JSON where it is JSON, else the text itself. */
function valueOfText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function refuseUnknown({ run, task, code, set }: StepInputsRequest, before: readonly ArtifactRow[]): void {
  const artifacts = before.map(({ name }) => name);
  const known = [...fieldNames(code.definition), ...artifacts];
  const secrets = code.definition.params.filter(({ secret }) => secret).map(({ name }) => name);
  const problems: Problem[] = [];
  for (const name of set.keys()) {
    if (secrets.includes(name)) {
      problems.push({
        code: "FLOW_PARAMETER_INVALID",
        message: `"${name}" is a secret, which has no place on a command line`,
        hint: "Set its environment variable",
      });
      continue;
    }
    if (known.includes(name)) continue;
    const near = nearestName(name, known);
    const list = known.length === 0 ? "It begins with none" : `There are ${known.slice(0, 20).join(", ")}`;
    problems.push({
      code: "FLOW_CLIENT_NO_ARTIFACT",
      message: `"${name}" is no parameter of ${code.definition.name} and no artifact that "${task.step}" begins with`,
      hint:
        near !== undefined
          ? `Did you mean "${near}"?`
          : task.inputs === undefined
            ? list
            : `"${task.step}" is a join: only parameters can be set, the artifacts are those of its inputs`,
    });
  }
  if (problems.length > 0) throw problemsError(`Cannot run "${task.step}" of ${runName(run)} again`, problems);
}

/** The error for a step that is not what it was in the run. */
export function stepChanged(run: RunRow, step: string, why: string, hint: string): FlowError {
  return new FlowError("FLOW_RUNNER_STEP_CHANGED", {
    message: `Cannot run "${step}" of ${runName(run)} again: ${why}`,
    hint,
    context: { run: run.id, step },
  });
}
