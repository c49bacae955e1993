/**
 * What a repair sees of a store whose values lie behind a network, and does there: it lists the values of the bucket, and puts
 * broken ones aside into the folder of this machine, durably, before they are deleted in the bucket.
 */
import fs from "node:fs";
import path from "node:path";
import type { AsideFile, FolderNote, FolderRepair } from "../folder-audit.ts";
import type { RemoteClient } from "./remote-client.ts";

export interface BucketFolderOptions {
  readonly client: RemoteClient;
  /** Of the folder beside the bucket. */
  readonly folder: FolderRepair;
  readonly folderPath: string;
}

export function bucketFolder(options: BucketFolderOptions): FolderRepair {
  return new BucketFolder(options);
}

/** Of the folder beside the bucket: values of it that were read or written here. */
const COPY_FOLDERS = ["cache", "spool"];

/** Whether a key is that of a copy, below the folder beside the bucket. */
export function isCopy(key: string): boolean {
  return COPY_FOLDERS.some((folder) => key.startsWith(`${folder}/`));
}

class BucketFolder implements FolderRepair {
  readonly #client: RemoteClient;
  readonly #folder: FolderRepair;
  readonly #path: string;

  constructor({ client, folder, folderPath }: BucketFolderOptions) {
    this.#client = client;
    this.#folder = folder;
    this.#path = folderPath;
  }

  notes(): Iterable<FolderNote> {
    return this.#folder.notes();
  }

  *files(prefix: string): Generator<readonly string[]> {
    for (let after: string | undefined = ""; after !== undefined; ) {
      const page: { readonly keys: readonly string[]; readonly next?: string } = this.#client.callSync("list", {
        query: { prefix, after },
      });
      if (page.keys.length > 0) yield page.keys;
      after = page.next;
    }
  }

  asides(): readonly AsideFile[] {
    return this.#folder.asides();
  }

  mendNotes(): readonly string[] {
    return this.#folder.mendNotes();
  }

  setAside(key: string): AsideFile | undefined {
    const bytes = this.#client.callSync("get", { key, range: undefined });
    if (bytes === undefined) return undefined;
    const aside = this.#folder.keepAside(path.posix.basename(key), bytes);
    this.#client.callSync("delete", { key });
    return aside;
  }

  keepAside(name: string, bytes: Uint8Array): AsideFile {
    return this.#folder.keepAside(name, bytes);
  }

  copies(key: string): readonly AsideFile[] {
    return COPY_FOLDERS.map((folder) => ({ key: `${folder}/${key}`, name: path.posix.basename(key) })).filter((copy) =>
      fs.existsSync(path.join(this.#path, copy.key)),
    );
  }

  putBack(aside: AsideFile, key: string): boolean {
    const file = path.join(this.#path, aside.key);
    if (this.#client.callSync("put", { key, bytes: Uint8Array.from(fs.readFileSync(file)) }) === "exists") return false;
    if (!isCopy(aside.key)) fs.rmSync(file, { force: true });
    return true;
  }
}
