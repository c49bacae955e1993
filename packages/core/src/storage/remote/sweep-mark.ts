/**
 * When values were last deleted from a store behind a network, as the time of a file that all processes of a store see. What a
 * process knows to be in the store, it knows as long as this stays: a sweep can only look at the age of a value and then delete
 * it, and whoever found the value between the two must look again before a record names it.
 */
import fs from "node:fs";

export function readSweepMark(file: string): number {
  return fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/**
 * Called before and after values are deleted, by one process at a time. The file is named and never opened where it is there: a
 * process that closes a file loses the locks that it holds on it, and this one is the lock of collections.
 */
export function setSweepMark(file: string): void {
  const seconds = Math.max(Date.now(), Math.floor(readSweepMark(file)) + 1) / 1_000;
  if (!fs.existsSync(file)) fs.writeFileSync(file, "", { mode: 0o600 });
  fs.utimesSync(file, seconds, seconds);
}
