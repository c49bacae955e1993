/** What `flow doctor` finds: plain data, in words for people and with the facts behind them for programs. */

/** Where a finding belongs; findings come in this order. */
export type DoctorArea = "installation" | "project" | "store" | "runs" | "processes" | "caches";

export interface DoctorFinding {
  readonly area: DoctorArea;
  /** One word or two that stay the same: `node`, `disk space`. */
  readonly check: string;
  /** ok: nothing to do; warn: works, but look at it; fail: something cannot work as it is. */
  readonly status: "ok" | "warn" | "fail";
  /** What was found, one sentence without a full stop. */
  readonly found: string;
  /** What to do, as an order; always there unless the status is `ok`. */
  readonly next?: string;
  /** The numbers and paths of the sentence: sizes in bytes, times as ISO 8601. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

export interface DoctorReport {
  /** Whether no finding is a `fail`. */
  readonly ok: boolean;
  readonly totals: Readonly<Record<DoctorFinding["status"], number>>;
  readonly findings: readonly DoctorFinding[];
}

/** A finding without its area, as a check gives it. */
export type Found = Omit<DoctorFinding, "area">;

export interface Check {
  readonly area: DoctorArea;
  readonly check: string;
  readonly run: () => Promise<readonly Found[]> | readonly Found[];
}

/** Bytes for people, in powers of 1,000: `512 B`, `1.5 MB`. */
export function sizeText(bytes: number): string {
  let size = bytes;
  for (const unit of ["B", "KB", "MB", "GB"]) {
    if (size < 999.95) return unit === "B" ? `${size} B` : `${size.toFixed(1)} ${unit}`;
    size /= 1000;
  }
  return `${size.toFixed(1)} TB`;
}

/** `1 file`, `3 files`. */
export function countText(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}
