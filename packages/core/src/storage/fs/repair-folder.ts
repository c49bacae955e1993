/**
 * The moves of a repair in the folder of a store. Nothing is deleted: a broken value is renamed into `quarantine/`, and what
 * is whole after all is linked back. Each move is one system call that happens or does not, so that a kill between two of
 * them leaves a state that the next repair goes on from.
 */
import fs, { constants } from "node:fs";
import path from "node:path";
import type { AsideFile, FolderRepair } from "../folder-audit.ts";
import { errnoOf, fileError } from "./file-error.ts";
import { FolderInspection, type InspectFolderOptions, OTHERS, QUARANTINE } from "./inspect-folder.ts";
import { createStoreFolder, storeLayout } from "./store-folder.ts";

/** Looks at a store folder, and mends it when told. */
export function repairFolder(folder: string, options: InspectFolderOptions): FolderRepair {
  return new RepairedFolder(storeLayout(folder), options);
}

class RepairedFolder extends FolderInspection implements FolderRepair {
  mendNotes(): readonly string[] {
    const { folder } = this.layout;
    const isIgnored = fs.existsSync(path.join(folder, ".gitignore"));
    createStoreFolder(folder); // What is there stays as it is.
    const narrowed = process.platform === "win32" ? 0 : this.#narrowModes();
    return [
      ...(isIgnored ? [] : ["wrote the store's .gitignore"]),
      ...(narrowed === 0
        ? []
        : [`made ${narrowed} ${narrowed === 1 ? "file or folder" : "files and folders"} private`]),
    ];
  }

  setAside(key: string): AsideFile | undefined {
    const from = path.join(this.layout.folder, key);
    return this.#act("Cannot put a value aside", from, () => {
      if (fs.lstatSync(from, { throwIfNoEntry: false }) === undefined) return undefined;
      const aside = this.#freeName(path.basename(key));
      fs.renameSync(from, path.join(this.layout.folder, aside.key));
      this.#sync(path.dirname(from));
      this.#sync(path.join(this.layout.folder, QUARANTINE));
      return aside;
    });
  }

  keepAside(name: string, bytes: Uint8Array): AsideFile {
    const folder = path.join(this.layout.folder, QUARANTINE);
    return this.#act("Cannot keep a broken value", folder, () => {
      const aside = this.#freeName(name);
      const fd = fs.openSync(path.join(this.layout.folder, aside.key), "wx", 0o600);
      try {
        fs.writeFileSync(fd, bytes);
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
      this.#sync(folder);
      return aside;
    });
  }

  copies(): readonly AsideFile[] {
    return [];
  }

  putBack(aside: AsideFile, key: string): boolean {
    const from = path.join(this.layout.folder, aside.key);
    const to = path.join(this.layout.folder, key);
    return this.#act("Cannot put a value back", to, () => {
      if (fs.lstatSync(to, { throwIfNoEntry: false }) !== undefined) return false;
      fs.mkdirSync(path.dirname(to), { recursive: true, mode: 0o700 });
      try {
        fs.linkSync(from, to); // Fails when the name was taken meanwhile: what a run wrote is not replaced.
      } catch (error) {
        if (errnoOf(error) === "EEXIST") return false;
        if (!NO_LINKS.has(errnoOf(error) ?? "")) throw error;
        fs.renameSync(from, to);
      }
      this.#sync(path.dirname(to));
      fs.rmSync(from, { force: true });
      this.#sync(path.dirname(from));
      return true;
    });
  }

  /** A name in quarantine that is free: a value that broke twice is kept twice. */
  #freeName(name: string): AsideFile {
    const folder = path.join(this.layout.folder, QUARANTINE);
    if (!fs.existsSync(folder)) {
      fs.mkdirSync(folder, { mode: 0o700 });
      fs.chmodSync(folder, 0o700);
      this.#sync(this.layout.folder);
    }
    for (let number = 0; ; number++) {
      const key = `${QUARANTINE}/${name}${number === 0 ? "" : `.${number}`}`;
      if (fs.lstatSync(path.join(this.layout.folder, key), { throwIfNoEntry: false }) === undefined)
        return { key, name };
    }
  }

  #narrowModes(): number {
    let narrowed = 0;
    for (const place of this.places()) {
      const file = path.join(this.layout.folder, place);
      const facts = fs.lstatSync(file, { throwIfNoEntry: false });
      if (facts === undefined || facts.isSymbolicLink() || (facts.mode & OTHERS) === 0) continue;
      this.#act("Cannot make the store private", file, () => fs.chmodSync(file, facts.mode & 0o700));
      narrowed++;
    }
    return narrowed;
  }

  #sync(folder: string): void {
    if (process.platform === "win32") return;
    const fd = fs.openSync(folder, constants.O_RDONLY);
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  #act<T>(action: string, file: string, act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw fileError(action, file, error);
    }
  }
}

/** What file systems without hard links answer. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);
