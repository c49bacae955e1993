import type { CodeEntry } from "../code-table.ts";

export const configCodes = {
  FLOW_CONFIG_OLD_NODE: {
    meaning: "A program that uses Millrace runs in a Node that is too old for it",
    cause: "Another Node comes first in PATH",
    remedy: "Install a newer Node, and see that it comes first",
  },
  FLOW_CONFIG_BAD_STORE: {
    meaning: "What names a store is neither a folder nor the URL of a bucket",
    cause: "A scheme that is not known, a bucket or prefix that no service takes, or credentials inside of the URL",
    remedy: "Name a folder, or s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or azure://CONTAINER/PREFIX without credentials",
  },
  FLOW_CONFIG_BAD_CACHE: {
    meaning: "MILLRACE_CACHE_BYTES is no size",
    cause: "A unit that is not known, or a number with a sign or an exponent",
    remedy: 'Write a number of bytes, or one with a unit, such as "20GB"',
  },
  FLOW_CONFIG_BAD_FILE: {
    meaning: "The file millrace.json with the settings of a workspace cannot be used",
    cause: "It is no JSON, has a setting that is not known, or one of the wrong kind",
    remedy:
      'Mend what the message names; the file looks like { "store": "s3://BUCKET/PREFIX", "cacheBytes": 10000000000 }',
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
