import type { CodeEntry } from "../code-table.ts";

export const metadataCodes = {
  FLOW_METADATA_BAD_ARGUMENT: {
    meaning: "A record or a query that was handed to the store is not well formed",
    cause: "A tag with control characters, a page of no rows, a value that JSON cannot hold",
    remedy: "Correct what the message names",
  },
  FLOW_METADATA_BUSY: {
    meaning: "Another process kept the records locked for longer than the stated limit",
    cause: "A program that holds a transaction open, a stopped process, or a disk that stands still",
    remedy: "End the program that holds the lock, then resume the run",
  },
  FLOW_METADATA_CHANGED_RECORDS: {
    meaning: "Records of a run do not fit the digests that were written with them",
    cause: "They were changed by hand, in the store or in a file that is imported",
    remedy:
      "See with flow store verify and flow validate what was changed; put the store back from a copy, import an export that was made before, or delete the run with flow runs delete",
  },
  FLOW_METADATA_CLOSED: {
    meaning: "The records were used after they had been closed",
    cause: "Work that outlives the run that it belongs to, often a promise that nobody awaits",
    remedy: "Await everything before the store is closed, or open it again",
  },
  FLOW_METADATA_CONFLICT: {
    meaning: "A record with the same key is there already",
    cause: "A run, a task attempt or an artifact was written twice",
    remedy: "Read what is stored: the first record stands and was not changed",
  },
  FLOW_METADATA_CORRUPT: {
    meaning: "The database of the store is damaged",
    cause: "A failing disk, or the file was copied or changed while it was in use",
    remedy:
      "See with flow store verify what is damaged; restore the store from a copy, and until then do not write to it",
  },
  FLOW_METADATA_FENCED: {
    meaning: "A runner wanted to write to a run that another one has taken over",
    cause:
      "The runner stood still for so long (a stopped process, a sleeping machine) that its run was continued elsewhere",
    remedy:
      "Nothing is to be done: the run goes on in the other process, and what this one had not recorded is dropped",
  },
  FLOW_METADATA_FULL: {
    meaning: "There is no room left for records",
    cause: "The disk or the quota of the user is used up",
    remedy: "Free room on the disk that holds the store, then resume the run: what was acknowledged is there",
  },
  FLOW_METADATA_MISSING_BLOB: {
    meaning: "A record names a value that is not stored",
    cause: "The value was not handed over together with the record that names it",
    remedy: "Store the value first, or give it in the same call",
  },
  FLOW_METADATA_NETWORK_FOLDER: {
    meaning: "The store lies on a network file system, where several processes cannot share a database safely",
    cause: "A folder that is mounted by NFS or SMB",
    remedy: "Choose a folder on a local disk with --store or MILLRACE_STORE",
  },
  FLOW_METADATA_NEWER_STORE: {
    meaning: "The store was written by a newer version of Millrace",
    cause: "Someone who shares the store has updated, or this program was put back to an older version",
    remedy: "Update Millrace to a version that knows the schema of the store",
  },
  FLOW_METADATA_NO_RUN: {
    meaning: "A record names a run that is not in the store",
    cause: "The run belongs to another store",
    remedy: "See with --store that the right store is used",
  },
  FLOW_METADATA_NO_TASK: {
    meaning: "A record names a task that is not in the store",
    cause: "The task was finished before its start was recorded, or it belongs to another store",
    remedy: "Report it: the runner starts every task before it finishes it",
  },
  FLOW_METADATA_NOT_A_STORE: {
    meaning: "The file is no database of Millrace",
    cause: "A wrong path, or a file of another program under the name of the database",
    remedy: "Choose the folder of a store with --store or MILLRACE_STORE",
  },
  FLOW_METADATA_READ_ONLY: {
    meaning: "Something was to be written to records that are open for reading only, or that this user may not write",
    cause: "The store was opened read-only, or its file or folder belongs to another user",
    remedy: "Give the user write access to the folder, or choose another one with --store",
  },
  FLOW_METADATA_RUN_ALIVE: {
    meaning: "A run was to be continued, or forked in the same way, while a process that executes it lives",
    cause: "The run is going on, or two programs tried to continue it at once and the other one was first",
    remedy: "Wait until the run has ended, or end the process that the message names",
  },
  FLOW_METADATA_RUN_DELETED: {
    meaning: "A run was deleted between the moment when it was chosen and the moment when it was to be used",
    cause: "Somebody deleted it, by hand or by garbage collection, at that very time",
    remedy: "Run the command again: it chooses among the runs that are there",
  },
  FLOW_METADATA_RUN_FINAL: {
    meaning: "A run that is finished was to be changed",
    cause: "A late result came in after the run had ended, or a run that succeeded was to be continued",
    remedy: "Start a new run: what is recorded about one that succeeded never changes",
  },
  FLOW_METADATA_TASK_FINAL: {
    meaning: "A task that is finished was to be finished again",
    cause: "A late result of an attempt that was given up",
    remedy: "Nothing is to be done: the first result stands",
  },
  FLOW_METADATA_UNAVAILABLE: {
    meaning: "The database of the store could not be opened, read or written",
    cause: "The folder is not there, may not be read by this user, or the disk reports errors",
    remedy: "See that the path of the message is there and readable, then try again",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
