/**
 * `flow store repair`: rebuilds what follows from other records, and moves broken values aside, so that the next run which
 * stores one of them makes it whole.
 *
 * Invariants: nothing is deleted and nothing is guessed; no digest is ever changed; what is done is decided by a verification
 * of the whole store, and looked at again at the moment of doing it; each step happens or does not, so that a kill between
 * two of them leaves a store that the next repair goes on from, and a repair of a sound store does nothing.
 */
import type { BlobRow, Digest } from "../../artifact/artifact.ts";
import type { ArtifactStore } from "../../artifact/artifact-store.ts";
import { blobKey, parseBlobKey } from "../../artifact/blob-layout.ts";
import { hashStored } from "../../artifact/hash-stored.ts";
import { FlowError, isFlowError } from "../../errors/flow-error.ts";
import type { BucketAudit, BucketMend } from "../../metadata/bucket-audit.ts";
import type { BlobUses, RecordAudit, RecordRepairReport, RecordRepairs } from "../../metadata/record-audit.ts";
import type { SyncBlobStore } from "../../storage/blob-store.ts";
import type { AsideFile, FolderRepair } from "../../storage/folder-audit.ts";
import { inTurns } from "../../util/in-turns.ts";
import type { BrokenValue } from "../verify/check-values.ts";
import type { StoreFinding, VerifyProgress, VerifyReport } from "../verify/finding.ts";
import { verifyStore } from "../verify/verify-store.ts";
import { type Loss, lossesOf } from "./losses.ts";

export interface RepairOptions {
  /** Says what would be done, and does nothing. */
  readonly dryRun?: boolean;
  /** Called for each finding of the first verification. */
  readonly onFinding?: (finding: StoreFinding) => void;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

export interface StoreUnderRepair {
  readonly blobs: SyncBlobStore;
  readonly artifacts: ArtifactStore;
  readonly folder: FolderRepair;
  /** Opens the records to look at them; or gives the error that says that they cannot be read. */
  openAudit(): RecordAudit | FlowError;
  repairRecords(repairs: RecordRepairs): Promise<RecordRepairReport>;
  /** Of a store in a bucket: by these records. */
  bucketOf?(audit: RecordAudit): BucketAudit;
}

export interface RepairReport {
  readonly schema: 1;
  /** Whether the store is whole now. */
  readonly ok: boolean;
  readonly isDryRun: boolean;
  /** What was done, or would be, in words. */
  readonly done: readonly string[];
  /** The copy of the database that was taken before it was changed. */
  readonly copy?: string;
  /** Values that were put aside: where they are now. */
  readonly quarantined: readonly { readonly digest: string; readonly file: string }[];
  /** Values that were whole in quarantine, or of which this machine has a whole copy, and that are back in their place. */
  readonly restored: readonly string[];
  /** Runs whose records are damaged so that only a copy helps, or an export, or deleting them: at most 50. */
  readonly needCopy: readonly string[];
  /** Damage that is left as it is: at most 1,000 findings; `after` counts them all. In a dry run, what would be left. */
  readonly left: readonly StoreFinding[];
  /** What runs have lost, and how to get it again. */
  readonly losses: readonly Loss[];
  readonly before: VerifyReport;
  readonly after: VerifyReport;
}

/**
 * Repairs a store.
 *
 * @throws FlowError FLOW_METADATA_CORRUPT when the records cannot be read: only a copy helps then; and of the metadata and
 *   storage rooms for what cannot be written
 */
export async function repairStore(store: StoreUnderRepair, options: RepairOptions = {}): Promise<RepairReport> {
  const { dryRun = false, onFinding, onProgress } = options;
  const plan = new RepairPlan();
  const before = await verified(store, plan, {
    onFinding: (finding) => {
      plan.find(finding);
      onFinding?.(finding);
    },
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  if (dryRun) {
    const restored = await wholeAsides(store, plan);
    const copied = await wholeCopies(store, plan);
    const losses = await losing(store, plan);
    const nothing = {
      quarantined: [],
      restored: [],
      needCopy: [...plan.needCopy],
      left: plan.left.filter(isPastRepair),
    };
    const done = [
      ...plan.words(),
      ...restored.map(({ name }) => `put "${name}" back, which is whole`),
      ...copied.map(({ key }) => `put "${key}" back, of which this machine has a whole copy`),
    ];
    return { schema: 1, ok: before.ok, isDryRun: true, done, ...nothing, losses, before, after: before };
  }
  const restored: string[] = [];
  for (const aside of await wholeAsides(store, plan))
    if (store.folder.putBack(aside, keyOf(aside.name))) restored.push(aside.name.slice(0, 64));
  const replaced = await putCopies(store, plan);
  restored.push(...replaced.restored);
  const quarantined = [...replaced.quarantined, ...(await setAside(store, plan, new Set(replaced.restored)))];
  const records =
    plan.isRecordsTouched || quarantined.length > 0 ? await store.repairRecords(plan.repairs()) : { done: [] };
  const done = [...store.folder.mendNotes(), ...records.done, ...(await mendBucket(store, plan))];

  // What is so now, not what was planned: runs may have gone on, and what could not be mended must not be said to be.
  const left = new RepairPlan();
  const after = await verified(store, left, {
    onFinding: (finding) => left.find(finding),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  return {
    schema: 1,
    ok: after.ok,
    isDryRun: false,
    done,
    ...(records.copy === undefined ? {} : { copy: records.copy }),
    quarantined,
    restored,
    needCopy: [...left.needCopy],
    left: left.left,
    losses: await losing(store, left),
    before,
    after,
  };
}

/** What the first verification found, as work. */
class RepairPlan {
  readonly #findings: StoreFinding[] = [];
  readonly #rows: BlobRow[] = [];
  readonly #damaged: Extract<BrokenValue, { kind: "damaged" }>[] = [];
  readonly #missing: Digest[] = [];
  losesItems = false;
  /** Damage as it was found. */
  readonly left: StoreFinding[] = [];
  /** Runs that only a copy mends. */
  readonly needCopy = new Set<string>();
  readonly packageBlobs: { readonly package: Digest; readonly digest: Digest }[] = [];
  readonly bucket: BucketMend[] = [];

  find(finding: StoreFinding): void {
    const { kind, remedy, subject } = finding;
    const isRun = subject.run !== undefined && /^\S+\/\d+$/.test(subject.run); // and not "run number 7"
    if (kind === "damage" && remedy === "copy" && isRun && this.needCopy.size < MAX_RUNS)
      this.needCopy.add(subject.run!);
    if (kind === "damage" && this.left.length < MAX_LEFT) this.left.push(finding);
    if (kind === "damage" && finding.id === "S06" && remedy === "rerun") this.losesItems = true;
    if (finding.remedy === "repair" && this.#findings.length < MAX_WORDS) this.#findings.push(finding);
  }

  break(broken: BrokenValue): void {
    if (broken.kind === "misrecorded") this.#rows.push(broken.row);
    else if (broken.kind === "missing") this.#missing.push(broken.digest);
    else this.#damaged.push(broken);
  }

  get damaged() {
    return this.#damaged;
  }

  get missing(): readonly Digest[] {
    return this.#missing;
  }

  get lost(): readonly Digest[] {
    return [...this.#missing, ...this.#damaged.map(({ digest }) => digest)];
  }

  get isRecordsTouched(): boolean {
    return (
      this.#findings.some(({ id }) => id !== "S10" && id !== "S04" && !OF_BUCKET.has(id)) ||
      this.#damaged.some(({ key }) => key === undefined)
    );
  }

  repairs(): RecordRepairs {
    return {
      blobs: this.#rows,
      withoutBytes: this.#damaged.flatMap(({ digest, key }) => (key === undefined ? [digest] : [])),
      damaged: new Set(this.lost),
      packageBlobs: this.packageBlobs,
    };
  }

  words(): readonly string[] {
    return this.#findings.map(({ id, evidence, subject }) => {
      if (id !== "S04") return `mend: ${evidence}`;
      return `put aside: ${subject.file === undefined ? subject.digest : `"${subject.file}"`}`;
    });
  }
}

/** Checks of what lies in a bucket besides values: no records are changed for them. */
const OF_BUCKET = new Set<string>(["S12", "S13"]);
/** Findings that a report holds. */
const MAX_LEFT = 1_000;
/** Runs that are named. */
const MAX_RUNS = 50;
/** Things that a dry run names; a store with more broken values is not read line by line. */
const MAX_WORDS = 10_000;

async function verified(
  store: StoreUnderRepair,
  plan: RepairPlan,
  options: Pick<RepairOptions, "onFinding" | "onProgress">,
): Promise<VerifyReport> {
  const audit = store.openAudit();
  if (isFlowError(audit)) throw notMendable(audit);
  try {
    const bucket = store.bucketOf?.(audit);
    return await verifyStore(
      { ...store, audit, ...(bucket === undefined ? {} : { bucket }) },
      { readData: true, ...options },
      {
        onBroken: (broken) => plan.break(broken),
        onUntied: (untied) => void plan.packageBlobs.push(untied),
        onBucket: (mend) => void plan.bucket.push(mend),
      },
    );
  } finally {
    await audit.close();
  }
}

/** Once the records are mended: what is written is what they say. */
async function mendBucket(store: StoreUnderRepair, plan: RepairPlan): Promise<readonly string[]> {
  if (store.bucketOf === undefined || plan.bucket.length === 0) return [];
  const audit = store.openAudit();
  if (isFlowError(audit)) return [];
  try {
    return await store.bucketOf(audit).mend(plan.bucket);
  } finally {
    await audit.close();
  }
}

function notMendable(error: FlowError): FlowError {
  return new FlowError("FLOW_METADATA_CORRUPT", {
    message: `Cannot repair the store: ${error.message}`,
    hint: `${isFlowError(error, "FLOW_METADATA_CORRUPT") ? error.hint : "Restore millrace.db from a copy"}; the values in blobs/ stay as they are, and flow store verify --read-data checks them`,
    context: error.context,
    cause: error,
  });
}

/**
 * Moves broken files aside. Each is looked at once more in its new place: a run may have made it whole between the look and
 * the move, and then it goes back.
 */
async function setAside(
  store: StoreUnderRepair,
  plan: RepairPlan,
  restored: ReadonlySet<string>,
): Promise<RepairReport["quarantined"]> {
  const moved: { digest: string; file: string }[] = [];
  const audit = store.openAudit();
  try {
    for (const { digest, key } of plan.damaged) {
      if (restored.has(digest)) continue;
      if (key === undefined) {
        const row = isFlowError(audit) ? undefined : await audit.blob(digest);
        if (row?.stored === undefined) continue;
        const name = `${digest}${row.compression === "zstd" ? ".zst" : ""}`;
        moved.push({ digest, file: store.folder.keepAside(name, row.stored).key });
        continue;
      }
      const aside = store.folder.setAside(key);
      if (aside === undefined) continue;
      if ((await isWhole(store, aside)) && store.folder.putBack(aside, key)) continue;
      moved.push({ digest, file: aside.key });
    }
  } finally {
    if (!isFlowError(audit)) await audit.close();
  }
  return moved;
}

/** Files in quarantine that hash to their names, for values that are missing or broken: a repair that was killed left them. */
async function wholeAsides(store: StoreUnderRepair, plan: RepairPlan): Promise<readonly AsideFile[]> {
  const wanted = new Set<string>(plan.missing);
  const whole: AsideFile[] = [];
  for (const aside of store.folder.asides())
    if (wanted.has(aside.name.slice(0, 64)) && (await isWhole(store, aside))) whole.push(aside);
  return whole;
}

/** Puts whole copies of this machine where values are missing or broken; what was there is kept aside first. */
async function putCopies(
  store: StoreUnderRepair,
  plan: RepairPlan,
): Promise<Pick<RepairReport, "quarantined" | "restored">> {
  const quarantined: { digest: string; file: string }[] = [];
  const restored: string[] = [];
  for (const { digest, key, copy } of await wholeCopies(store, plan)) {
    const broken = store.blobs.getSync(key);
    if (broken === undefined) {
      if (store.folder.putBack(copy, key)) restored.push(digest);
      continue;
    }
    const bytes = store.blobs.getSync(copy.key);
    if (bytes === undefined) continue; // It went at this instant: the cache is bounded.
    quarantined.push({ digest, file: store.folder.keepAside(copy.name, broken).key });
    store.blobs.replaceSync(key, [bytes]);
    restored.push(digest);
  }
  return { quarantined, restored };
}

/** Of values that are missing or broken: whole copies that this machine has, and where in the store they belong. */
async function wholeCopies(
  store: StoreUnderRepair,
  plan: RepairPlan,
): Promise<readonly { readonly digest: Digest; readonly key: string; readonly copy: AsideFile }[]> {
  const audit = store.openAudit();
  if (isFlowError(audit)) return [];
  const found: { digest: Digest; key: string; copy: AsideFile }[] = [];
  try {
    for (const digest of plan.lost) {
      const row = await audit.blob(digest);
      if (row === undefined || row.stored !== undefined) continue;
      const key = blobKey(digest, row.compression);
      for (const copy of store.folder.copies(key)) {
        if (!(await isWhole(store, copy))) continue;
        found.push({ digest, key, copy });
        break;
      }
    }
    return found;
  } finally {
    await audit.close();
  }
}

async function isWhole({ blobs }: StoreUnderRepair, { key, name }: AsideFile): Promise<boolean> {
  const compression = name.endsWith(".zst") ? "zstd" : "none";
  try {
    const read = (start: number, end: number) => blobs.getSync(key, { start, end });
    const hashed = await inTurns(hashStored(read, compression, Number.MAX_SAFE_INTEGER));
    return hashed.kind === "payload" && hashed.digest === name.slice(0, 64);
  } catch (error) {
    if (!isFlowError(error)) throw error;
    return false; // No plain file, or one that the disk does not give.
  }
}

function keyOf(name: string): string {
  const compression = name.endsWith(".zst") ? "zstd" : "none";
  const key = blobKey(name.slice(0, 64) as Digest, compression);
  if (parseBlobKey(key) === undefined)
    throw new FlowError("FLOW_INTERNAL", { message: `"${name}" was put aside and is no value` });
  return key;
}

function isPastRepair({ remedy }: StoreFinding): boolean {
  return remedy !== "repair";
}

async function losing(store: StoreUnderRepair, plan: RepairPlan): Promise<readonly Loss[]> {
  const lost = plan.lost;
  if (lost.length === 0 && !plan.losesItems) return [];
  const audit = store.openAudit();
  if (isFlowError(audit)) return [];
  try {
    const uses = new Map<Digest, BlobUses>();
    for (let at = 0; at < lost.length; at += 500)
      for (const [digest, use] of await audit.uses(lost.slice(at, at + 500))) uses.set(digest, use);
    return lossesOf(uses, plan.losesItems ? await audit.lostItems() : []);
  } finally {
    await audit.close();
  }
}
