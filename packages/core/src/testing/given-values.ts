/**
 * Values that a test gives, put into stores as if tasks had left them: encoded, so that what cannot be kept is found here
 * as in a real run, and so that the step under test gets private copies.
 */
import type { EncodedArtifact, NewBlob } from "../artifact/artifact.ts";
import { keepFile } from "../artifact/files/keep-file.ts";
import { ItemPageWriter } from "../artifact/item-pages.ts";
import { encodeValue } from "../artifact/value-codec.ts";
import { isFlowError, type Problem, problemsError } from "../errors/flow-error.ts";
import type { ArtifactRow, FinishedTask, NewTask, RunSequence, TaskSequence } from "../metadata/metadata-store.ts";
import type { MemoryStores } from "../wiring/open-memory-stores.ts";

/** What a finished task is said to have left. */
export interface GivenTask {
  /** Artifacts by name; fields that are undefined were never set. */
  readonly values: Readonly<Record<string, unknown>>;
  /** What messages call the values: `inputs[0]`. */
  readonly label: string;
  /** For a foreach: the one item of it that is asked for. */
  readonly item?: { readonly value: unknown; readonly index: number };
}

/** Stands in the records for the steps that left what is given: no method can be called so. */
const GIVEN_STEP = "(given)";

/**
 * Commits tasks as finished and gives their numbers, in order.
 *
 * @param options.fixed names that the flow does not set, with what they are: `a parameter`
 * @throws FlowError with all problems at once: FLOW_TESTING_BAD_VALUE, and what refuses to encode a value
 */
export async function commitGivenTasks(
  stores: MemoryStores,
  run: RunSequence,
  tasks: readonly GivenTask[],
  options: { readonly fixed?: ReadonlyMap<string, string> } = {},
): Promise<readonly TaskSequence[]> {
  if (tasks.length === 0) return [];
  const problems: Problem[] = [];
  const blobs = new Map<string, NewBlob>();
  const keep = (encoded: EncodedArtifact): Omit<ArtifactRow, "name"> => {
    if (!blobs.has(encoded.digest)) blobs.set(encoded.digest, stores.artifacts.storeSync(encoded));
    return { codec: encoded.codec, digest: encoded.digest, sizeBytes: encoded.sizeBytes };
  };
  const first = await stores.metadata.reserveTasks(tasks.length);
  const at = new Date();
  const started: NewTask[] = [];
  const finished: FinishedTask[] = [];
  for (const [index, task] of tasks.entries()) {
    const sequence = (first + index) as TaskSequence;
    started.push({ sequence, run, step: GIVEN_STEP, path: String(sequence), attempt: 1, startedAt: at });
    const artifacts: ArtifactRow[] = [];
    for (const [name, value] of Object.entries(task.values)) {
      if (value === undefined) continue;
      const word = options.fixed?.get(name);
      const place = { path: `${task.label}.${name}`, field: name };
      const kept = word === undefined ? await keepFile(stores.artifacts, value, place) : undefined;
      if (word !== undefined) problems.push(misplaced(task.label, name, word));
      else if (kept !== undefined) {
        const blob = await kept.store();
        if (blob !== undefined) blobs.set(blob.digest, blob);
        artifacts.push({ name, ...kept.ref });
      } else
        collecting(problems, () =>
          artifacts.push({ name, ...keep(encodeValue(value, { path: `${task.label}.${name}` })) }),
        );
    }
    const pages: FinishedTask["pages"][number][] = [];
    const { item } = task;
    if (item !== undefined) {
      collecting(problems, () => {
        for (const { encoded } of pagesOf(item.value)) pages.push({ first: item.index, count: 1, ...keep(encoded) });
      });
    }
    finished.push({ sequence, status: "succeeded", finishedAt: at, artifacts, pages });
  }
  if (problems.length > 0) throw problemsError("Cannot take the given values", problems);
  await stores.metadata.commitTick({
    run,
    execution: 1,
    started,
    finished,
    blobs: [...blobs.values()],
    reads: [],
    logs: [],
  });
  return started.map(({ sequence }) => sequence);
}

function pagesOf(item: unknown): ReturnType<ItemPageWriter["finish"]> {
  encodeValue(item, { path: "item" }); // Refused under the name that the test gave it; the writer would say `this[0]`.
  const writer = new ItemPageWriter();
  return [...writer.add(item), ...writer.finish()];
}

function collecting(problems: Problem[], work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isFlowError(error)) throw error;
    problems.push({
      code: error.code,
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

function misplaced(label: string, name: string, word: string): Problem {
  return {
    code: "FLOW_TESTING_BAD_VALUE",
    message: `${label}.${name} is ${word}: no step leaves it behind`,
    hint: word === "a parameter" ? `Give it as params: { ${name}: … }` : `Leave ${name} out`,
  };
}
