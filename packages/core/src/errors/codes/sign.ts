import type { CodeEntry } from "../code-table.ts";

export const signCodes = {
  FLOW_SIGN_BAD_KEY: {
    meaning: "A text is no key that runs are signed with, or not the half of it that is asked for",
    cause:
      "It is no Ed25519 key in PEM form, it is encrypted, or a private key was given where a public one is asked for",
    remedy: "Make keys with flow sign keygen -o NAME; sign with the file that ends in .pem, check with the one in .pub",
  },
  FLOW_SIGN_NO_KEY: {
    meaning: "The key that was named is not there",
    cause: "The file cannot be read, the environment variable is not set, or none of the two was named",
    remedy: "Name the file with --key or the variable with --key-env",
  },
  FLOW_SIGN_OPEN_KEY: {
    meaning: "Others can read the file of a private key",
    cause: "The mode of the file lets its group or everybody read or write it",
    remedy: "Take the rights away with chmod 600, and think about making a new key",
  },
  FLOW_SIGN_NOT_SUCCEEDED: {
    meaning: "Only a run that succeeded can be signed",
    cause: "It is still running, it failed, it was cancelled or it was lost: what it left may still change",
    remedy: "Wait for it, or sign another run",
  },
  FLOW_SIGN_NO_DIGEST: {
    meaning: "A run has no digest over its records that could be signed",
    cause: "A version of Millrace that wrote no such digests has executed it",
    remedy: "Run the flow again and sign the new run",
  },
  FLOW_SIGN_TOO_MANY: {
    meaning: "A run has as many signatures as a run may have, or left too much for one statement",
    cause: "A run has at most 100 signatures, and a statement at most 2 million characters",
    remedy: "Use the signatures that are there; put many values into one artifact",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
