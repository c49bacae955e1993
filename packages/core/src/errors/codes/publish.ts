import type { CodeEntry } from "../code-table.ts";

export const publishCodes = {
  FLOW_PUBLISH_OTHER_STORE: {
    meaning: "A bucket belongs to another store than the one that was to write into it; nothing was written",
    cause:
      "The bucket has a store whose records are not on this machine, or two stores were given the same bucket and prefix",
    remedy:
      "Choose another prefix; to go on with what is in the bucket, bring its records back with flow store rebuild",
  },
  FLOW_PUBLISH_NEWER_FORMAT: {
    meaning: "An object of a bucket has a format that this version does not know",
    cause: "It was written by a newer version of Millrace",
    remedy: "Update Millrace here",
  },
  FLOW_PUBLISH_FORKED: {
    meaning:
      "Two copies of one store have written into its bucket, and say different things; what this one says was not written",
    cause:
      "The records were copied to another machine, or put back from a copy, while another copy of them went on with the same bucket",
    remedy:
      "Go on with one copy alone: the bucket has what the other one did, and flow store rebuild makes records of it. Export first what only this one has",
  },
  FLOW_PUBLISH_DAMAGED: {
    meaning: "Objects of a bucket are missing, or are not as they were written",
    cause: "Somebody deleted or changed them, a rule of the bucket deletes old objects, or the storage is at fault",
    remedy:
      "Put them back from a copy or an older version of the bucket; while the records are whole, flow store copy writes what is missing",
  },
  FLOW_PUBLISH_NESTED: {
    meaning:
      "A store was to be made in a bucket inside of the prefix of another store, or around one; nothing was made",
    cause: "The prefix of one of the two is the beginning of the other's: s3://team/models and s3://team/models/new",
    remedy: "Choose a prefix beside that of the other store: s3://team/new-models",
  },
  FLOW_PUBLISH_NO_BUCKET: {
    meaning: "Records were to be built from a bucket, and the store is a folder",
    cause: "flow store rebuild where the store that is named or found has its values in a folder",
    remedy: "Name the URL of the bucket with --store; records of a folder come back from a copy of it",
  },
  FLOW_PUBLISH_NO_STORE: {
    meaning: "A bucket has no store in it",
    cause: "The prefix is misspelt, or nothing was ever written there",
    remedy: "Look at the bucket and prefix that you named; flow store init makes a store there",
  },
} as const satisfies Readonly<Record<string, CodeEntry>>;
