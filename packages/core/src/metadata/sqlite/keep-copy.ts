import fs, { constants } from "node:fs";
import path from "node:path";
import Database from "better-sqlite3";

/**
 * Copies a database as it is committed now to `FILE.SUFFIX`, whole and durable, in place of an older copy of that name.
 *
 * Call it while holding the write lock: SQLite copies from a connection of its own, which sees what is committed and may
 * read beside the writer. A kill leaves a part under another name, which the next call takes away.
 */
export function keepCopy(file: string, suffix: string): void {
  const copy = `${file}.${suffix}`;
  const part = emptyPart(copy);
  const source = new Database(file, { readonly: true });
  try {
    source.prepare("VACUUM INTO ?").run(part);
  } finally {
    source.close();
  }
  giveName(file, part, copy);
}

/**
 * As `keepCopy`, page by page as they lie there: also of a database that is damaged, with its damage. Copies are numbered
 * from 1 and none is replaced.
 *
 * @returns the name of the copy: `millrace.db.before-repair-1`
 */
export async function keepPages(file: string, suffix: string): Promise<string> {
  let number = 1;
  while (fs.existsSync(`${file}.${suffix}-${number}`)) number++;
  const copy = `${file}.${suffix}-${number}`;
  const part = emptyPart(copy);
  const source = new Database(file, { readonly: true });
  try {
    await source.backup(part);
  } finally {
    source.close();
  }
  giveName(file, part, copy);
  return path.basename(copy);
}

/** A new private file aside. */
function emptyPart(copy: string): string {
  const part = `${copy}.part`;
  fs.rmSync(part, { force: true }); // Of a call that was killed: the lock says that no other one is under way.
  fs.closeSync(fs.openSync(part, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600));
  return part;
}

function giveName(file: string, part: string, copy: string): void {
  sync(part, constants.O_RDWR);
  fs.renameSync(part, copy);
  if (process.platform !== "win32") sync(path.dirname(file), constants.O_RDONLY);
}

function sync(place: string, flags: number): void {
  const fd = fs.openSync(place, flags);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
