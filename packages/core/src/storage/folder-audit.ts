/**
 * The contract of a look at the folder of a store: what lies in it besides records and values, and the few moves of a repair.
 * Storage knows names and modes here, not what the bytes should be.
 */

/** Something that is not as the store makes it, and harms nothing. */
export interface FolderNote {
  /**
   * `temporary`: left by a writer that died; `foreign`: none of the store's; `mode`: others may read or write it;
   * `ignore`: the store's .gitignore is missing.
   */
  readonly kind: "temporary" | "foreign" | "mode" | "ignore";
  /** Below the store's folder, with forward slashes. */
  readonly file: string;
  /** In words. */
  readonly why: string;
}

/** A file that was put aside, or is a copy. */
export interface AsideFile {
  /** Its key now: `quarantine/<name>`; of a copy where it lies below the folder. */
  readonly key: string;
  /** The name of the file when it was in its place. */
  readonly name: string;
}

export interface FolderAudit {
  notes(): Iterable<FolderNote>;
  /** Keys of all files below a prefix, one folder of them after the other. */
  files(prefix: string): Iterable<readonly string[]>;
  asides(): readonly AsideFile[];
}

export interface FolderRepair extends FolderAudit {
  /** Makes folders and files private again, and the .gitignore; answers in words what was done. */
  mendNotes(): readonly string[];
  /** Moves what lies under a key aside, durably; undefined when nothing lies there (any more). */
  setAside(key: string): AsideFile | undefined;
  /** Keeps bytes that lay elsewhere, under a name of their own. */
  keepAside(name: string, bytes: Uint8Array): AsideFile;
  /** Files that this machine keeps of a value besides the store's own, whole or not; they stay where they are. */
  copies(key: string): readonly AsideFile[];
  /** Puts a file into its place, if none is there; answers whether it did. What was put aside is there no longer then. */
  putBack(aside: AsideFile, key: string): boolean;
}
