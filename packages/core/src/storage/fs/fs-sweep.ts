/**
 * Sweeping a folder of values. A value is first renamed into the folder for files aside, then looked at again, and only
 * then deleted: a writer that found it by its name in between either made it young, and it is put back, or finds no file
 * any more and writes it anew. There is no instant at which a writer is told "it is there" of a value that is deleted
 * with its knowledge of its age being older than that.
 */
import fs from "node:fs";
import path from "node:path";
import { asideName, asideWriter } from "../../util/aside-name.ts";
import { isProcessThere } from "../../util/is-process-there.ts";
import type { BlobSweep, SweptValue } from "../sweep.ts";
import { errnoOf, fileError } from "./file-error.ts";

/** The folder of values by digest, and what is a value in there: other names were put there by somebody else. */
const VALUES = "blobs/sha256";
const PART = /^[0-9a-f]{2}$/;
const VALUE = /^[0-9a-f]{64}(\.zst)?$/;

/** Clocks are set; a file of a run is never taken for older than the run because of it. */
const CLOCK_SLACK_MS = 60_000;

/**
 * @param folder of the blob store
 * @param temporaryFolder where it writes aside
 */
export function openFsSweep(folder: string, temporaryFolder: string): BlobSweep {
  const root = path.resolve(folder);
  const aside = path.resolve(temporaryFolder);
  return {
    leastGraceMs: 0,
    clockSlackMs: CLOCK_SLACK_MS,
    async *pages() {
      const folders = await entriesOf(path.join(root, VALUES));
      const parts = folders.filter((entry) => entry.isDirectory() && PART.test(entry.name)).map(({ name }) => name);
      for (const [done, part] of parts.entries()) {
        const entries = await entriesOf(path.join(root, VALUES, part));
        const names = entries
          .filter((entry) => entry.isFile() && VALUE.test(entry.name) && entry.name.startsWith(part))
          .map(({ name }) => `${part}/${name}`);
        const values = names.flatMap((name) => factsOf(path.join(root, VALUES, name), `${VALUES}/${name}`));
        yield { values, done, of: parts.length };
      }
    },
    removeOld: (keys, before) => new Set(keys.filter((key) => removeOld(path.join(root, key), aside, before))),
    async listUnfinished() {
      const names = (await entriesOf(aside)).filter((entry) => entry.isFile() && asideWriter(entry.name) !== undefined);
      return names.flatMap(({ name }) => factsOf(path.join(aside, name), name));
    },
    removeUnfinished(name, before) {
      const writer = asideWriter(name);
      const file = path.join(aside, name);
      const [facts] = factsOf(file, name);
      if (facts === undefined || facts.putAt >= before || writer === undefined || isProcessThere(writer)) return false;
      return unlinked(file);
    },
  };
}

async function entriesOf(folder: string): Promise<readonly fs.Dirent[]> {
  try {
    return await fs.promises.readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw fileError("Cannot look through the store", folder, error);
  }
}

function factsOf(file: string, key: string): readonly SweptValue[] {
  try {
    const facts = fs.lstatSync(file);
    return facts.isFile() ? [{ key, sizeBytes: facts.size, putAt: facts.mtimeMs }] : [];
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw fileError("Cannot look through the store", file, error);
  }
}

function removeOld(file: string, asideFolder: string, before: number): boolean {
  const [facts] = factsOf(file, file);
  if (facts === undefined || facts.putAt >= before) return false;
  const aside = path.join(asideFolder, asideName("SWEPT"));
  try {
    fs.renameSync(file, aside);
    const [now] = factsOf(aside, file);
    if (now !== undefined && now.putAt >= before) return putBack(aside, file);
    return unlinked(aside);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false; // Another sweep, or somebody by hand.
    throw fileError("Cannot delete a value", file, error);
  }
}

/** A writer found it in time. One that came later may have written it anew: then that file stays. */
function putBack(aside: string, file: string): false {
  try {
    fs.linkSync(aside, file);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") fs.renameSync(aside, file); // No hard links here: both hold the same bytes.
  }
  unlinked(aside);
  return false;
}

function unlinked(file: string): boolean {
  try {
    fs.unlinkSync(file);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw fileError("Cannot delete a value", file, error);
  }
}
