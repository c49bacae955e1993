/**
 * What a task leaves behind once its step has ended: the artifacts that it set or changed, the pages of a foreach, the
 * way that a choice takes. Values are encoded and hashed first and stored last, when nothing can be refused any more.
 *
 * Code that the step has left running can change a value whenever something is awaited: from reading the fields to
 * storing what they hold nothing is.
 */
import type { ArtifactRef, EncodedArtifact, NewBlob } from "../../artifact/artifact.ts";
import type { ArtifactStore } from "../../artifact/artifact-store.ts";
import { badFile } from "../../artifact/files/file-error.ts";
import { type KeptFile, keepFile } from "../../artifact/files/keep-file.ts";
import { keptContent } from "../../artifact/files/stored-file.ts";
import { encodeValue } from "../../artifact/value-codec.ts";
import { FlowError } from "../../errors/flow-error.ts";
import type { BoundFlow } from "../../flow/bind-flow.ts";
import type { FieldState } from "../../flow/bound-flow.ts";
import { checkDeclaredArtifact, termOf } from "../../flow/check-declared-artifact.ts";
import type { Flow } from "../../flow/flow.ts";
import type { FlowClass } from "../../flow/public-types.ts";
import type { ArtifactRow, NewArtifact } from "../../metadata/metadata-store.ts";
import type { StepContract, TaskYield } from "../protocol.ts";
import { isStream, type SplitItems, splitItems } from "./split-items.ts";
import type { TaskArrays } from "./task-arrays.ts";

export interface YieldSource {
  readonly flowClass: FlowClass<Flow>;
  readonly artifacts: ArtifactStore;
  readonly bound: BoundFlow;
  readonly step: StepContract;
  /** Parameters, configs, files and constants of the run. */
  readonly values: ReadonlyMap<string, ArtifactRow>;
  /** What was visible when the task began. */
  readonly inherited: ReadonlyMap<string, ArtifactRow>;
  /** What a merge took over, unread. */
  readonly merged: ReadonlyMap<string, ArtifactRow>;
  readonly arrays: TaskArrays;
  /** The task caught its failure: a foreach whose items nobody has set has none. */
  readonly isCaught: boolean;
}

/**
 * @param blobs takes the blobs that travel with the result
 * @throws FlowError for what cannot be kept, a foreach without items, a choice without a case
 */
export async function collectYield(source: YieldSource, blobs: Map<string, NewBlob>): Promise<TaskYield> {
  const { step, bound } = source;
  const flow = bound.flow as Record<string, unknown>;
  const split = step.foreach === undefined ? undefined : await itemsOf(source, step.foreach, flow, blobs);
  const unread = bound.fields();
  const kept = await keepFiles(source, unread);
  // Where there are none, nothing of them was waited for: what was looked at is what is encoded.
  const changes = encodeChanges(source, kept.size === 0 ? unread : bound.fields(), kept);
  const choice = step.on === undefined ? {} : { choice: choiceOf(flow, step, source.isCaught) };
  // Only now, when nothing can be refused any more: a task that fails leaves no artifact behind. (Pages of a foreach are
  // stored as they fill, so that a million items need little memory; what nothing names is for the garbage collection.)
  for (const { name, encoded } of changes.encoded) {
    if (blobs.has(encoded.digest)) continue;
    // What is kept are the very bytes that were hashed: since then nothing was awaited.
    const keep = source.arrays.keeper(name, encoded);
    blobs.set(encoded.digest, source.artifacts.storeSync(encoded, keep));
    keep?.();
  }
  for (const { ref, store } of changes.files) {
    const blob = blobs.has(ref.digest) ? undefined : await store();
    if (blob !== undefined) blobs.set(ref.digest, blob);
  }
  return {
    artifacts: changes.rows,
    pages: split?.rows ?? [],
    ...(split === undefined ? {} : { fanOut: split.count }),
    ...choice,
  };
}

async function itemsOf(
  source: YieldSource,
  field: string,
  flow: Record<string, unknown>,
  blobs: Map<string, NewBlob>,
): Promise<SplitItems> {
  const items = flow[field];
  if (source.isCaught && items === undefined) return { rows: [], count: 0 };
  return splitItems(source.artifacts, items, { step: source.step.name, field }, blobs);
}

/** Files and folders that the fields hold, by their values: their bytes are read in pieces, so they come first. */
async function keepFiles(
  { artifacts }: YieldSource,
  fields: readonly FieldState[],
): Promise<ReadonlyMap<unknown, KeptFile>> {
  const files = new Map<unknown, KeptFile>();
  for (const field of fields) {
    if (field.kind === "untouched" || keptContent(field.value) === undefined || files.has(field.value)) continue;
    const file = await keepFile(artifacts, field.value, { path: `this.${field.name}`, field: field.name });
    if (file !== undefined) files.set(field.value, file);
  }
  return files;
}

interface NamedArtifact {
  readonly name: string;
  readonly encoded: EncodedArtifact;
}

function encodeChanges(
  source: YieldSource,
  fields: readonly FieldState[],
  kept: ReadonlyMap<unknown, KeptFile>,
): {
  readonly rows: readonly NewArtifact[];
  readonly encoded: readonly NamedArtifact[];
  readonly files: readonly KeptFile[];
} {
  const { flowClass, step, values, inherited, merged, arrays } = source;
  const rows: NewArtifact[] = [];
  const add = (row: ArtifactRow): void => {
    const term = termOf(flowClass, row.name);
    rows.push(term === undefined ? row : { ...row, term });
  };
  const changed: NamedArtifact[] = [];
  const files: KeptFile[] = [];
  /** Whether it is another value than before: then it is an artifact of this task. */
  const isNew = (name: string, { codec, digest, sizeBytes }: ArtifactRef): boolean => {
    const before = inherited.get(name) ?? values.get(name);
    if (before !== undefined && before.digest === digest && before.codec === codec) return false;
    add({ name, codec, digest, sizeBytes });
    return true;
  };
  const keep = (name: string, value: unknown): void => {
    const before = inherited.get(name) ?? values.get(name);
    const known = before === undefined ? {} : { known: before, knownBytes: arrays.storedBytes(before.digest) };
    const encoded = encodeValue(value, { path: `this.${name}`, ...known });
    if (isNew(name, encoded)) changed.push({ name, encoded });
  };
  const emptied = new Set(inherited.keys());
  for (const field of fields) {
    emptied.delete(field.name);
    if (field.kind === "untouched") {
      const row = merged.get(field.name);
      if (row !== undefined) add(row);
      continue;
    }
    if (field.name === step.foreach && isStream(field.value)) {
      // Its items are kept as pages; what gave them is no value, and must not leave an inherited one in its place.
      if (inherited.has(field.name)) emptied.add(field.name);
      continue;
    }
    if (field.declared) checkDeclaredArtifact(flowClass, field.name, field.value);
    const file = kept.get(field.value);
    if (kept.size > 0 && file === undefined && keptContent(field.value) !== undefined)
      throw badFile(`this.${field.name}`, "it was assigned after the step had ended");
    // What the task shares was found unchanged, and is stored: under another name it is the same artifact.
    const shared = arrays.sharedRow(field.value);
    if (shared !== undefined) isNew(field.name, shared);
    else if (file === undefined) keep(field.name, field.value);
    else if (isNew(field.name, file.ref)) files.push(file);
  }
  // A field that was inherited and is now undefined, or deleted, must not shine through from the task before.
  for (const name of emptied) keep(name, undefined);
  return { rows, encoded: changed, files };
}

function choiceOf(flow: Record<string, unknown>, step: StepContract, isCaught: boolean): string {
  const value = flow[step.on!];
  const text = String(value);
  if (
    step.cases!.includes(text) &&
    (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
  )
    return text;
  const shown = typeof value === "string" ? JSON.stringify(value) : text;
  throw new FlowError("FLOW_RUNNER_NO_CASE", {
    message: `Cannot choose after "${step.name}": this.${step.on} is ${shown}, and no case says where that leads`,
    hint: isCaught
      ? `Set this.${step.on} in a step before it: what "${step.name}" had set was lost with its failure`
      : `Set this.${step.on} to one of ${step.cases!.map((name) => JSON.stringify(name)).join(", ")}`,
    context: { step: step.name, field: step.on, cases: step.cases },
  });
}
