/** What `flow store verify` finds, as plain JSON. */
import type { FaultSubject, RecordFault, Remedy } from "../../metadata/record-audit.ts";

/** The checks by id. Ids are stable; they are explained in docs/guide/store.md. */
export const STORE_CHECKS = {
  S01: "The database is whole",
  S02: "What records refer to is there",
  S03: "The stored values are there",
  S04: "The stored values are what was written",
  S05: "The sizes agree",
  S06: "The records agree with each other",
  S07: "What is derived is right",
  S08: "The log of tags is unbroken, and runs hold what it says",
  S09: "The code packages are whole",
  S10: "The folder is as the store made it",
  S11: "The records of runs and tasks are those that were written",
  S12: "The bucket is that of the store, and its log says what the records say",
  S13: "The bucket has each run that ended, as the records have it",
} as const;

export type StoreCheckId = keyof typeof STORE_CHECKS;

/** Checks of what the records of runs say: not of values and code, nor of what lies in a folder or a bucket. */
const OF_RECORDS = new Set<StoreCheckId>(["S02", "S05", "S06", "S07", "S08", "S11"]);

/**
 * damage: something that was stored is not as it was stored. unchecked: it could not be looked at. note: worth knowing,
 * nothing is lost.
 */
export type FindingKind = "damage" | "unchecked" | "note";

export interface StoreFinding {
  readonly id: StoreCheckId;
  readonly kind: FindingKind;
  readonly title: string;
  /** What was seen, in words, naming runs, tasks, artifacts, digests and files. */
  readonly evidence: string;
  readonly subject: FaultSubject & {
    /** Below the store's folder. */
    readonly file?: string;
    /** All records that name the value: the first of them, and how many there are. */
    readonly uses?: readonly { readonly run?: string; readonly task?: string; readonly artifact?: string }[];
    readonly useCount?: number;
  };
  readonly remedy?: Remedy;
}

export interface VerifyReport {
  readonly schema: 1;
  /** Whether nothing is damaged and all that was to be looked at could be. */
  readonly ok: boolean;
  readonly totals: Readonly<Record<FindingKind, number>>;
  /** How many pieces of damage each remedy helps with. */
  readonly remedies: Readonly<Record<Remedy, number>>;
  /** Values whose record and place were looked at. */
  readonly values: number;
  /** Values that were read and hashed, and their stored bytes. */
  readonly hashed: { readonly blobs: number; readonly bytes: number };
  /** Which part was read: `[1, 5]` for the first of five. */
  readonly subset?: readonly [number, number];
}

export interface VerifyProgress {
  readonly phase: "database" | "records" | "values" | "folder" | "bucket";
  /** Of the values: how many were looked at, of how many, and how many bytes were read. */
  readonly done: number;
  readonly total: number;
  readonly bytes: number;
}

/** Collects what is found and hands it on at once: nothing of it is kept but numbers. */
export class FindingSink {
  readonly totals = { damage: 0, unchecked: 0, note: 0 };
  readonly remedies = { repair: 0, rerun: 0, copy: 0 };
  /** Names of runs whose records are damaged, and no repair mends them. */
  readonly doubtful = new Set<string>();
  readonly #onFinding: (finding: StoreFinding) => void;
  readonly #told = new Set<string>();

  constructor(onFinding: (finding: StoreFinding) => void) {
    this.#onFinding = onFinding;
  }

  add(
    id: StoreCheckId,
    kind: FindingKind,
    evidence: string,
    more: Pick<StoreFinding, "remedy"> & Partial<Pick<StoreFinding, "subject">> = {},
  ): void {
    // Several checks may stumble over one page that cannot be read.
    if (id === "S01") {
      if (this.#told.has(evidence)) return;
      this.#told.add(evidence);
    }
    this.totals[kind]++;
    if (kind === "damage") this.remedies[more.remedy ?? "copy"]++;
    const run = more.subject?.run;
    if (kind === "damage" && more.remedy !== "repair" && OF_RECORDS.has(id) && run !== undefined)
      this.doubtful.add(run);
    this.#onFinding({
      id,
      kind,
      title: STORE_CHECKS[id],
      evidence,
      subject: more.subject ?? {},
      ...(more.remedy === undefined ? {} : { remedy: more.remedy }),
    });
  }

  fault({ check, kind, evidence, subject, remedy }: RecordFault): void {
    this.add(check, kind, evidence, { subject, ...(remedy === undefined ? {} : { remedy }) });
  }
}
