/** Whether each run that ended lies in the bucket as the records have it: its manifest, and the packs and packages that it names. */
import type { Digest } from "../artifact/artifact.ts";
import { type FlowError, isFlowError } from "../errors/flow-error.ts";
import type { RunId } from "../ids/run-id.ts";
import type { BucketFault, BucketSide, PublishedRun } from "../metadata/bucket-audit.ts";
import { isOver } from "../metadata/run-state.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { inParallel } from "../util/in-parallel.ts";
import { PACKAGES_PREFIX, PACKS_PREFIX, packageKey, packKey, parseRunKey, RUNS_PREFIX, runKey } from "./layout.ts";
import { readPack } from "./pack.ts";
import { readAgain } from "./read-again.ts";
import { readPackage } from "./read-package.ts";
import { readRun } from "./read-run.ts";

/** Manifests and packs that are read at once. */
const READS = 16;
/** Objects of runs that the records do not have, which are named one by one. */
const MAX_NAMED = 100;

export interface RunCheckOptions {
  readonly storeId: string;
  /** Runs that ended and whose manifests wait to be written. */
  readonly owed: ReadonlySet<RunId>;
  readonly isRead: (digest: Digest) => boolean;
}

export async function* checkRuns(
  bucket: BlobStore,
  records: BucketSide,
  options: RunCheckOptions,
): AsyncGenerator<BucketFault, void> {
  const packages = new PackageCheck(bucket, options.isRead);
  await packages.list();
  const manifests = new RunObjects(bucket, RUNS_PREFIX);
  const packs = new RunObjects(bucket, PACKS_PREFIX);
  let unnamed = 0;
  for await (const page of records.runs()) {
    const faults: BucketFault[] = [];
    const work: { run: PublishedRun; manifests: readonly Found[]; packs: readonly Found[] }[] = [];
    for (const run of page) {
      const of = { run, manifests: await manifests.upTo(run.id), packs: await packs.upTo(run.id) };
      for (const found of [...manifests.passed(), ...packs.passed()]) {
        if ((await records.run(found.run)) !== undefined) continue; // It began after the page was read.
        if (unnamed++ < MAX_NAMED) faults.push(foreignOf(found.key));
      }
      if (isOver(run.status) && !options.owed.has(run.id)) work.push(of);
    }
    await inParallel(work, READS, async ({ run, manifests, packs }) => {
      const of = { run, packages, ...options };
      if ((await checkRun(bucket, { ...of, manifests, packs })).length === 0) return;
      // Once more as it is now: it may have been deleted, may go on, or its manifest may have been on its way.
      const now = await records.run(run.id);
      if (now?.execution !== run.execution || now.status !== run.status || (await records.isOwed(run.id))) return;
      const again = {
        manifests: await allOf(objectsOfRuns(bucket, `${RUNS_PREFIX}${run.id}/`)),
        packs: await allOf(objectsOfRuns(bucket, `${PACKS_PREFIX}${run.id}/`)),
      };
      faults.push(...(await checkRun(bucket, { ...of, ...again })));
    });
    yield* faults;
  }
  for (const rest of [manifests, packs]) {
    for await (const found of rest.rest())
      if ((await records.run(found.run)) === undefined && unnamed++ < MAX_NAMED) yield foreignOf(found.key);
  }
  if (unnamed > MAX_NAMED)
    yield {
      check: "S10",
      kind: "note",
      evidence: `${unnamed - MAX_NAMED} further objects of the bucket are of runs that the records do not have`,
      subject: { file: RUNS_PREFIX },
    };
}

function foreignOf(key: string): BucketFault {
  return {
    check: "S10",
    kind: "note",
    evidence: `"${key}" of the bucket: it is of a run that the records do not have`,
    subject: { file: key },
  };
}

interface RunInBucket extends RunCheckOptions {
  readonly run: PublishedRun;
  readonly manifests: readonly Found[];
  readonly packs: readonly Found[];
  readonly packages: PackageCheck;
}

async function checkRun(bucket: BlobStore, of: RunInBucket): Promise<readonly BucketFault[]> {
  const { run, manifests } = of;
  const written = manifests.flatMap(({ key }) => parseRunKey(key) ?? []);
  const later = written.find(({ execution }) => execution > run.execution);
  if (later !== undefined)
    return [
      {
        check: "S13",
        kind: "damage",
        evidence: `the bucket has execution ${later.execution} of ${run.name}, and the records know ${run.execution}: another copy of the store has written it, or the records are older`,
        subject: { run: run.name, file: runKey(run.id, later.execution, later.again) },
        remedy: "copy",
      },
    ];
  const own = written.filter(({ execution }) => execution === run.execution);
  const key = runKey(run.id, run.execution, Math.max(0, ...own.map(({ again }) => again)));
  if (own.length === 0) return [faultOf(run, key, "it is not there, and the run has ended")];
  try {
    return await readAgain(() => checkManifest(bucket, key, of));
  } catch (error) {
    if (!isFlowError(error, "FLOW_PUBLISH_DAMAGED")) throw error;
    return [faultOf(run, key, error)];
  }
}

/** @param broken keys of objects that are there and not what was written */
function faultOf(run: PublishedRun, key: string, why: string | FlowError, broken: readonly string[] = []): BucketFault {
  const said = typeof why === "string" ? `"${key}" of the bucket: ${why}` : why.message;
  return {
    check: "S13",
    kind: "damage",
    evidence: `${run.name}: ${said}`,
    subject: { run: run.name, file: key },
    remedy: "repair",
    mend: { kind: "run", run: run.id, name: run.name, broken },
  };
}

/** @throws FlowError FLOW_PUBLISH_DAMAGED for a manifest that cannot be read */
async function checkManifest(bucket: BlobStore, key: string, of: RunInBucket): Promise<readonly BucketFault[]> {
  const { run, storeId, packages, isRead } = of;
  const faults: BucketFault[] = [];
  const packs: { readonly digest: Digest; readonly sizeBytes: number }[] = [];
  const named: Digest[] = [];
  for await (const line of readRun(bucket, key)) {
    if (line.kind === "manifest") {
      const { store, id, execution, sequence, number } = line;
      const isIt =
        store === storeId &&
        id === run.id &&
        execution === run.execution &&
        sequence === run.sequence &&
        number === run.number;
      if (!isIt) faults.push(faultOf(run, key, "it is of another run"));
    } else if (line.kind === "run") {
      const isSame =
        line.status === run.status && line.startDigest === run.startDigest && line.endDigest === run.endDigest;
      if (!isSame && faults.length === 0) faults.push(faultOf(run, key, "it does not say what the records say"));
    } else if (line.kind === "pack") packs.push(line);
    else if (line.kind === "package") named.push(line.digest);
  }
  if (faults.length > 0) return faults;
  const sizes = new Map(of.packs.map(({ key, sizeBytes }) => [key, sizeBytes]));
  for (const { digest, sizeBytes } of packs) {
    const packed = packKey(run.id, digest);
    const there = sizes.get(packed) ?? (await bucket.stat(packed))?.sizeBytes;
    if (there === undefined) faults.push(faultOf(run, packed, "it is not there"));
    else if (there !== sizeBytes)
      faults.push(faultOf(run, packed, `it has ${there} bytes, and ${sizeBytes} were written`, [packed]));
    else if (isRead(digest)) {
      const why = await faultIn(() => readPack(bucket, packed, digest));
      if (why !== undefined) faults.push(faultOf(run, packed, why, [packed]));
    }
  }
  for (const digest of named) {
    const why = await packages.check(digest);
    if (why !== undefined)
      faults.push(faultOf(run, packageKey(digest), why.error, why.isThere ? [packageKey(digest)] : []));
  }
  return faults;
}

async function faultIn(read: () => Promise<unknown>): Promise<FlowError | undefined> {
  try {
    await read();
    return undefined;
  } catch (error) {
    if (isFlowError(error, "FLOW_PUBLISH_DAMAGED")) return error;
    throw error;
  }
}

/** Code packages, each looked at once. */
class PackageCheck {
  readonly #bucket: BlobStore;
  readonly #isRead: (digest: Digest) => boolean;
  readonly #there = new Set<string>();
  readonly #checked = new Map<Digest, Promise<{ readonly error: FlowError; readonly isThere: boolean } | undefined>>();

  constructor(bucket: BlobStore, isRead: (digest: Digest) => boolean) {
    this.#bucket = bucket;
    this.#isRead = isRead;
  }

  async list(): Promise<void> {
    for (let after: string | undefined; ; ) {
      const page = await this.#bucket.list({ prefix: PACKAGES_PREFIX, ...(after === undefined ? {} : { after }) });
      for (const key of page.keys) this.#there.add(key);
      if (page.next === undefined) return;
      after = page.next;
    }
  }

  /** What is wrong; undefined when nothing is. */
  async check(digest: Digest): Promise<{ readonly error: FlowError; readonly isThere: boolean } | undefined> {
    const checked = this.#checked.get(digest) ?? this.#check(digest);
    this.#checked.set(digest, checked);
    return await checked;
  }

  async #check(digest: Digest): Promise<{ readonly error: FlowError; readonly isThere: boolean } | undefined> {
    const key = packageKey(digest);
    if (!this.#isRead(digest) && this.#there.has(key)) return undefined;
    const error = await faultIn(() => readPackage(this.#bucket, digest));
    return error === undefined ? undefined : { error, isThere: this.#there.has(key) };
  }
}

interface Found {
  readonly run: RunId;
  readonly key: string;
  readonly sizeBytes: number;
}

/** Objects of runs below a prefix, in the order of the runs: a list is read once, along with the records. */
class RunObjects {
  readonly #entries: AsyncGenerator<Found, void>;
  #next: Found | undefined;
  #isBegun = false;
  #passed: Found[] = [];

  constructor(bucket: BlobStore, prefix: string) {
    this.#entries = objectsOfRuns(bucket, prefix);
  }

  /** What is there of a run that is behind all that were asked for. */
  async upTo(run: RunId): Promise<readonly Found[]> {
    if (!this.#isBegun) await this.#step();
    const found: Found[] = [];
    for (let next = this.#next; next !== undefined && next.run <= run; next = this.#next) {
      (next.run === run ? found : this.#passed).push(next);
      await this.#step();
    }
    return found;
  }

  /** What nobody asked for, since the last call. */
  passed(): readonly Found[] {
    const passed = this.#passed;
    this.#passed = [];
    return passed;
  }

  async *rest(): AsyncGenerator<Found, void> {
    if (!this.#isBegun) await this.#step();
    for (; this.#next !== undefined; await this.#step()) yield this.#next;
  }

  async #step(): Promise<void> {
    this.#isBegun = true;
    const step = await this.#entries.next();
    this.#next = step.done === true ? undefined : step.value;
  }
}

async function allOf<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function* objectsOfRuns(bucket: BlobStore, prefix: string): AsyncGenerator<Found, void> {
  const shape = /^(?:runs|packs)\/([0-9a-f-]{36})\//;
  for (let after: string | undefined; ; ) {
    const page = await bucket.list({ prefix, withFacts: true, ...(after === undefined ? {} : { after }) });
    for (const [index, key] of page.keys.entries()) {
      const run = shape.exec(key)?.[1] as RunId | undefined;
      if (run !== undefined) yield { run, key, sizeBytes: page.facts![index]!.sizeBytes };
    }
    if (page.next === undefined) return;
    after = page.next;
  }
}
