import fs from "node:fs";
import path from "node:path";

/** Entries that are looked at; measured at 4 µs each with a warm disk, so this is a tenth of a second. */
const MAX_ENTRIES = 25_000;

export interface FolderSize {
  readonly bytes: number;
  readonly files: number;
  /** Whether everything was looked at; otherwise the numbers are lower bounds. */
  readonly isWhole: boolean;
  /** The first entry that is neither a plain file nor a folder. */
  readonly foreign?: string;
}

/** Files below a folder and their bytes, without following links. A folder that cannot be read counts as empty. */
export function measureFolder(folder: string, maxEntries: number = MAX_ENTRIES): FolderSize {
  let [bytes, files, entries] = [0, 0, 0];
  let foreign: string | undefined;
  const open = [folder];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const entry of list(next)) {
      const place = path.join(next, entry.name);
      if (++entries > maxEntries)
        return { bytes, files, isWhole: false, ...(foreign === undefined ? {} : { foreign }) };
      if (entry.isDirectory()) open.push(place);
      else if (entry.isFile()) {
        files++;
        bytes += fs.lstatSync(place, { throwIfNoEntry: false })?.size ?? 0;
      } else foreign ??= place;
    }
  }
  return { bytes, files, isWhole: true, ...(foreign === undefined ? {} : { foreign }) };
}

function list(folder: string): readonly fs.Dirent[] {
  try {
    return fs.readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
