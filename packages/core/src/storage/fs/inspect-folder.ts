/** What lies in the folder of a store (docs/formats/folder-layout.md) that should not, and what should and does not. */
import fs, { type Dirent } from "node:fs";
import path from "node:path";
import { asideWriter } from "../../util/aside-name.ts";
import type { AsideFile, FolderAudit, FolderNote } from "../folder-audit.ts";
import { errnoOf, fileError } from "./file-error.ts";
import { type StoreLayout, storeLayout } from "./store-folder.ts";

export const QUARANTINE = "quarantine";
/** Of a store whose values lie in a bucket: copies of them, and values that are to be uploaded. */
const BESIDE_A_BUCKET = ["cache", "spool"];

/** The files of a store besides its values. */
const OWN_FILE =
  /^(?:\.gitignore|gc\.lock|tell\.lock|bucket\.json|millrace\.db(?:-wal|-shm|-journal)?|millrace\.db\.before-[a-z0-9-]+(?:-wal)?)$/;
const ASIDE_NAME = /^([0-9a-f]{64}(?:\.zst)?)(?:\.\d+)?$/;
/** What group and others may do: nothing. */
export const OTHERS = 0o077;

export interface InspectFolderOptions {
  /** Whether a process of this machine lives; undefined when the system does not tell. */
  readonly isAlive: (pid: number) => boolean | undefined;
}

/** Looks at a store folder; nothing is changed. */
export function inspectFolder(folder: string, options: InspectFolderOptions): FolderAudit {
  return new FolderInspection(storeLayout(folder), options);
}

export class FolderInspection implements FolderAudit {
  protected readonly layout: StoreLayout;
  readonly #options: InspectFolderOptions;

  constructor(layout: StoreLayout, options: InspectFolderOptions) {
    this.layout = layout;
    this.#options = options;
  }

  *notes(): Generator<FolderNote> {
    const entries = this.entries("");
    if (!entries.some((entry) => entry.name === ".gitignore"))
      yield {
        kind: "ignore",
        file: ".gitignore",
        why: "it is missing: git would take the store for a part of the project",
      };
    for (const entry of entries) {
      const isFolder = ["blobs", "tmp", QUARANTINE, ...BESIDE_A_BUCKET].includes(entry.name);
      if (isFolder && !entry.isDirectory())
        yield { kind: "foreign", file: entry.name, why: "it lies where the store has a folder: move it away" };
      else if (!isFolder && !(entry.isFile() && OWN_FILE.test(entry.name)))
        yield { kind: "foreign", file: entry.name, why: "it is none of the store's" };
    }
    yield* this.#temporaryFiles();
    yield* this.#wideModes();
  }

  *files(prefix: string): Generator<readonly string[]> {
    const entries = this.entries(prefix).toSorted((left, right) => (left.name < right.name ? -1 : 1));
    const keys = entries.filter((entry) => !entry.isDirectory()).map((entry) => prefix + entry.name);
    if (keys.length > 0) yield keys;
    for (const entry of entries) if (entry.isDirectory()) yield* this.files(`${prefix}${entry.name}/`);
  }

  asides(): readonly AsideFile[] {
    return this.entries(QUARANTINE).flatMap(({ name }) => {
      const original = ASIDE_NAME.exec(name)?.[1];
      return original === undefined ? [] : [{ key: `${QUARANTINE}/${name}`, name: original }];
    });
  }

  *#temporaryFiles(): Generator<FolderNote> {
    for (const entry of this.entries("tmp")) {
      const pid = asideWriter(entry.name);
      if (pid === undefined) yield { kind: "foreign", file: `tmp/${entry.name}`, why: "it is none of the store's" };
      else if (this.#options.isAlive(pid) === false)
        yield { kind: "temporary", file: `tmp/${entry.name}`, why: `it was left by process ${pid}, which has ended` };
    }
  }

  /** One note for all files and one for all folders, with the first of them: a copied store has as many as values. */
  *#wideModes(): Generator<FolderNote> {
    if (process.platform === "win32") return;
    const wide = { file: { first: "", count: 0 }, folder: { first: "", count: 0 } };
    for (const place of this.places()) {
      const facts = fs.lstatSync(path.join(this.layout.folder, place), { throwIfNoEntry: false });
      if (facts === undefined || facts.isSymbolicLink() || (facts.mode & OTHERS) === 0) continue;
      const kind = wide[facts.isDirectory() ? "folder" : "file"];
      if (kind.count++ === 0) kind.first = place;
    }
    for (const [kind, { first, count }] of Object.entries(wide)) {
      if (count === 0) continue;
      const others = count === 1 ? "" : `, and so is that of ${count - 1} more`;
      yield { kind: "mode", file: first === "" ? "." : first, why: `this ${kind} is open to other users${others}` };
    }
  }

  /** Everything that the store has made, folders before what is in them. */
  protected *places(): Generator<string> {
    yield "";
    for (const entry of this.entries("")) {
      if (entry.isFile() && OWN_FILE.test(entry.name)) yield entry.name;
      if (entry.isDirectory() && ["blobs", "tmp", QUARANTINE].includes(entry.name)) yield* this.#below(entry.name);
    }
  }

  *#below(folder: string): Generator<string> {
    yield folder;
    for (const entry of this.entries(folder)) {
      const place = `${folder}/${entry.name}`;
      if (entry.isDirectory()) yield* this.#below(place);
      else if (entry.isFile()) yield place;
    }
  }

  /** What is in a folder of the store; nothing where there is none. */
  protected entries(below: string): readonly Dirent[] {
    const folder = path.join(this.layout.folder, below);
    try {
      return fs.readdirSync(folder, { withFileTypes: true });
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
      throw fileError("Cannot look into the store", folder, error);
    }
  }
}
