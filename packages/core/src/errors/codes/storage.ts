import type { CodeEntry } from "../code-table.ts";

export const storageCodes = {
  FLOW_STORAGE_BAD_KEY: {
    meaning: "A key of the blob store is not well formed, or a value already lies where the key needs a folder",
    cause: "A defect in the caller: keys are made of digests, never of names that a user chose",
    remedy: "Use 1 to 200 characters of a-z, 0-9, '.', '_', '-' and '/', with no empty, '.' or '..' part",
  },
  FLOW_STORAGE_BAD_RANGE: {
    meaning: "A range of bytes or a page size makes no sense",
    cause: "A start after the end, a negative or fractional number, or a limit below 1",
    remedy: "Give whole numbers with 0 <= start <= end, and a limit of at least 1",
  },
  FLOW_STORAGE_CLOSED: {
    meaning: "The blob store was used after it had been closed",
    cause: "Work that outlives the run that it belongs to, often a promise that nobody awaits",
    remedy: "Await everything before the store is closed, or open it again",
  },
  FLOW_STORAGE_DENIED: {
    meaning: "The system does not let this user read or write a file of the blob store",
    cause: "The folder belongs to another user, or the file system is mounted read-only",
    remedy: "Give the user write access to the folder, or choose another one with --store or MILLRACE_STORE",
  },
  FLOW_STORAGE_FOREIGN_FILE: {
    meaning: "Something that is not a plain file or folder lies where the blob store keeps its values",
    cause: "A symbolic link, a folder or a device was put into the store by something else",
    remedy: "Remove it: the store follows no links, and puts the value there itself when it is stored again",
  },
  FLOW_STORAGE_FULL: {
    meaning: "There is no room left for a value",
    cause: "The disk, the quota of the user or the inodes of the file system are used up",
    remedy: "Free room on the disk that holds the store, then resume the run: nothing half-written is left",
  },
  FLOW_STORAGE_UNAVAILABLE: {
    meaning: "The blob store could not be reached, or the system failed while a value was read or written",
    cause: "The folder was moved or unmounted, the disk reports errors, or too many files are open",
    remedy: "See that the folder of the message is there and readable, then try again",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
