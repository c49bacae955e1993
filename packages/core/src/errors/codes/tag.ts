import type { CodeEntry } from "../code-table.ts";

export const tagCodes = {
  FLOW_TAG_NOT_ALLOWED: {
    meaning: "Somebody who may not move a tag tried to move it",
    cause: "A policy of the store names who may move tags of this pattern, and the name of the user is not among them",
    remedy: "Ask one of those whom the message names, or change the policy with flow tag policy set",
  },
  FLOW_TAG_REASON_REQUIRED: {
    meaning: "A tag was to be moved without saying why",
    cause: "A policy of the store asks for a reason with each move of this tag",
    remedy: "Give one: --reason for flow tag and flow promote, --tag-reason for flow run",
  },
  FLOW_TAG_NOT_OVER: {
    meaning: "What was asked for a move of a tag can be looked at only when the run has ended",
    cause: "Promoting a run that is still running, or giving it a tag with --check, --expect or --force-age",
    remedy: "Wait until it has succeeded, or give it the tag with flow tag add alone: it moves then as its policy asks",
  },
  FLOW_TAG_NOT_SUCCEEDED: {
    meaning: "A tag that only runs that succeeded may hold was to be given to another run",
    cause: "A policy of the store says so, and the run failed, was cancelled or was lost",
    remedy: "Name a run that succeeded",
  },
  FLOW_TAG_TOO_OLD: {
    meaning: "A run is older than a policy allows for the tag",
    cause: "The policy has a greatest age, which counts from the creation of the run",
    remedy: "Run the flow again, or insist with --force-age and a reason, which is kept in the log",
  },
  FLOW_TAG_CHECK_FAILED: {
    meaning: "A check that has to pass before a tag moves does not",
    cause: "A policy of the store asks for this check of flow validate, or --check for all of them",
    remedy: "Look at what the check found with flow validate, and give the tag to a run that passes",
  },
  FLOW_TAG_NOT_EXPECTED: {
    meaning: "A tag is not where whoever moves it thinks it is",
    cause: "Somebody else has moved it meanwhile, or --expect names another run",
    remedy: "Look at who holds it with flow tag log, and decide anew",
  },
  FLOW_TAG_SEVERAL_HOLDERS: {
    meaning: "Several runs of one flow hold a tag that one alone may hold, or that is to be rolled back",
    cause: "The tag was given to a second run while no policy made it exclusive",
    remedy: "Take it from all but one with flow tag remove, or set the policy with --keep newest",
  },
  FLOW_TAG_TOO_MANY: {
    meaning: "A run would hold more tags than a run may",
    cause: "A run holds at most 50 tags",
    remedy: "Take some away with flow tag remove first",
  },
  FLOW_TAG_BAD_POLICY: {
    meaning: "A policy of tags cannot be kept as it was given",
    cause: "Its pattern is no pattern, it names a check that does not exist, or it asks for nothing",
    remedy: "Do what the hint says; flow tag policy set --help shows what a policy can ask for",
  },
  FLOW_TAG_NO_POLICY: {
    meaning: "There is no policy of this pattern",
    cause: "It was removed already, or its pattern is written another way",
    remedy: "List the policies with flow tag policy list",
  },
  FLOW_TAG_NO_PREVIOUS: {
    meaning: "A tag cannot be rolled back to the run that held it before",
    cause: "No run held it before, the one that is named never did, or it was deleted",
    remedy: "Look at its history with flow tag log, and name a run with --to or with flow promote",
  },
  FLOW_TAG_BAD_TIME: {
    meaning: "A text is no date or time",
    cause: "flow tag log --at takes a date such as 2026-11-17, or a time such as 2026-11-17T12:00",
    remedy: "Write it in that form",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;

export const webhookCodes = {
  FLOW_WEBHOOK_BAD_URL: {
    meaning: "A text is no address that a webhook can be sent to",
    cause: "It is no http or https URL, or it holds a user name and a password",
    remedy: "Give an https URL; what proves who calls is the signature, with --secret-env",
  },
  FLOW_WEBHOOK_UNKNOWN: {
    meaning: "There is no webhook of this number",
    cause: "It was removed already",
    remedy: "List the webhooks with flow webhook list",
  },
  FLOW_WEBHOOK_NOT_DELIVERED: {
    meaning: "A webhook was called and did not answer that it took the move",
    cause: "Its server could not be reached, answered late, or answered with an error",
    remedy: "Look at the message and at the server; nothing is lost, and flow webhook deliver tries again",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
