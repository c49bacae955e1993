import { randomBytes } from "node:crypto";

/**
 * `TMP-<process>-<random>` of writers, `SWEPT-<process>-<random>` of sweeps; records that are built or copied aside have SQLite's files beside
 * them, and `.rebuilt` until they are whole.
 */
const ASIDE = /^(?:TMP|SWEPT)-(\d+)-[0-9a-f]+(?:\.rebuilt)?(?:-(?:wal|shm|journal))?$/;

/** A new name for a file beside the values of a store: one that is being written, or that a sweep looks at once more. */
export function asideName(kind: "TMP" | "SWEPT"): string {
  return `${kind}-${process.pid}-${randomBytes(12).toString("hex")}`;
}

/** The number of the process that a file aside belongs to; undefined for a name that no store gives. */
export function asideWriter(name: string): number | undefined {
  const pid = ASIDE.exec(name)?.[1];
  return pid === undefined ? undefined : Number(pid);
}
