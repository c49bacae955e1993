import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Copies of the records that a migration (`millrace.db.before-3`), a repair or a rebuild (`millrace.db.before-repair-1`) left beside them. */
const COPY = /\.before-(?:(?:repair|rebuild)-)?\d+$/;

/** The youngest copy of the records in their own folder, by its name; undefined where there is none. */
export function youngestCopy(databaseFile: string): { readonly name: string; readonly at: Date } | undefined {
  const folder = dirname(databaseFile);
  try {
    return readdirSync(folder)
      .filter((name) => name.startsWith(basename(databaseFile)) && COPY.test(name))
      .map((name) => ({ name, at: statSync(join(folder, name)).mtime }))
      .sort((left, right) => right.at.getTime() - left.at.getTime())[0];
  } catch {
    return undefined; // It is a hint alone.
  }
}

/** What to do where the records are gone, as an order. */
export function restoreRecords(databaseFile: string): string {
  const copy = youngestCopy(databaseFile);
  const name = basename(databaseFile);
  if (copy === undefined) return `Put "${name}" back from a copy of the store`;
  const day = copy.at.toISOString().slice(0, 10);
  return `Put "${name}" back from a copy of the store; or copy "${copy.name}" to that name, which has the records of ${day} and nothing later`;
}
