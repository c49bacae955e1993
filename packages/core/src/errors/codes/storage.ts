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
  FLOW_STORAGE_CLOCK: {
    meaning: "An object store refuses requests because the clock of this machine and its own differ too much",
    cause: "The clock of this machine is off by more than 15 minutes, often after a pause of a virtual machine",
    remedy: "Set the clock (timedatectl set-ntp true), then try again",
  },
  FLOW_STORAGE_CLOSED: {
    meaning: "The blob store was used after it had been closed",
    cause: "Work that outlives the run that it belongs to, often a promise that nobody awaits",
    remedy: "Await everything before the store is closed, or open it again",
  },
  FLOW_STORAGE_CREDENTIALS: {
    meaning: "An object store does not know who asks, or does not let them do what was asked",
    cause: "No credentials were found, a key is unknown, expired or wrong, or it lacks a right on the bucket",
    remedy: "Look at the settings that the message names, and at the rights of their key on the bucket",
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
  FLOW_STORAGE_NO_BUCKET: {
    meaning: "The bucket of a store does not exist",
    cause: "Its name is misspelt, it belongs to another endpoint or account, or it was never made",
    remedy: "Correct the name or the endpoint, or make the bucket: Millrace makes none",
  },
  FLOW_STORAGE_NO_SDK: {
    meaning: "The library that speaks with an object store is not installed",
    cause: "Libraries of object stores are optional: Millrace installs none of them",
    remedy: "Install the package that the message names, beside @millrace/core",
  },
  FLOW_STORAGE_SPOOL: {
    meaning: "A value that waits to be uploaded is not what was put into the spool folder on this machine",
    cause: "The machine or its disk failed after the value was written, or somebody changed or deleted the file",
    remedy: "Go on with flow resume: the value is made again; see that the disk of the store's folder works",
  },
  FLOW_STORAGE_TIMEOUT: {
    meaning: "A call of an object store, or a wait for one, took longer than its limit",
    cause: "The network loses packets, a firewall drops them, or the service is overloaded",
    remedy: "See that the endpoint of the message can be reached from this machine, then try again",
  },
  FLOW_STORAGE_UNAVAILABLE: {
    meaning: "The blob store could not be reached, or the system failed while a value was read or written",
    cause:
      "The folder was moved or unmounted, the disk reports errors, too many files are open; or the object store or the network to it is down",
    remedy: "See that the folder or the service of the message can be reached, then try again",
  },
  FLOW_STORAGE_UNSUPPORTED: {
    meaning: "The blob store cannot do what was asked of it",
    cause: "A folder has no compare-and-set, and some services that speak S3 answer 501 to conditional writes",
    remedy: "Look at the capabilities of the store, or use a service that has what is missing",
  },
  FLOW_STORAGE_WRONG_REGION: {
    meaning: "A bucket lies in another region than the one that is asked, or no region is set",
    cause: "AWS_REGION, the profile or the URL of the store name another region",
    remedy: "Set AWS_REGION, or ?region= in the URL of the store, to the region that the message names",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
