/** What all commands that move tags share: flags, who moves, and telling webhooks afterwards. */
import type { OpenStores, RunRow, TagEvent } from "@millrace/core/internal";
import type { Flag } from "../arguments/flag.ts";
import type { Core } from "../core.ts";
import { renderWarning } from "../render/errors.ts";
import { plain } from "../render/text.ts";
import type { Context, Invocation } from "./command.ts";

/** Webhooks are told for so long after a move; what is left waits for the next one. */
const TELL_MS = 5_000;

export const REASON_FLAG: Flag = { name: "reason", type: "text", placeholder: "TEXT", help: "Why; kept in the log" };
export const FORCE_AGE_FLAG: Flag = {
  name: "force-age",
  type: "boolean",
  help: "Give the tag also to a run that is older than a policy allows; needs --reason",
};
export const EXPECT_FLAG: Flag = {
  name: "expect",
  type: "list",
  placeholder: "RUN",
  help: "Refuse unless this run holds the tag now (none: no run does); repeatable where several do",
};

type TagChanges = Parameters<Core["moveTags"]>[2];
export type TagActor = Parameters<Core["moveTags"]>[3];

export function actorOf(core: Core, invocation: Invocation, context: Context, via: string): TagActor {
  const reason = invocation.text("reason");
  const { actor, host } = core.resolveConfig({ cwd: context.cwd, environment: context.environment });
  return { actor, host, at: new Date(context.now()), via, ...(reason === undefined ? {} : { reason }) };
}

export interface Moved {
  /** As it stands after the move. */
  readonly run: RunRow;
  readonly moves: readonly TagEvent[];
  /** Tags under a policy that the run gets when it succeeds. */
  readonly requested: readonly string[];
}

/** Moves tags of a run, and tells webhooks. */
export async function moveTags(
  core: Core,
  stores: OpenStores,
  run: RunRow,
  changes: TagChanges,
  by: TagActor,
  context: Context,
): Promise<Moved> {
  const moves = await core.moveTags(stores, run, changes, by);
  await tellWebhooks(core, stores, context);
  const after = (await stores.metadata.run(run.sequence)) ?? run;
  const requests = await stores.metadata.tagRequests(run.sequence);
  const added = changes.add ?? [];
  const requested = requests.filter(({ tag, status }) => status === "waiting" && added.includes(tag));
  return { run: after, moves, requested: requested.map(({ tag }) => tag) };
}

/** The tag has moved: a webhook that could not be told is a warning. */
export async function tellWebhooks(core: Core, stores: OpenStores, context: Context): Promise<void> {
  const { failed } = await core.deliverWebhooks(
    { metadata: stores.metadata, environment: context.environment, now: context.now },
    TELL_MS,
  );
  for (const { webhook, error } of failed) {
    const message = `Webhook ${webhook} was not told: ${error}`;
    const hint = "Nothing is lost: flow webhook deliver tries again, and so does the next move of a tag";
    context.stderr.write(`${renderWarning({ message, hint }, context.stderr.paint)}\n`);
  }
}

/** The runs that `--expect` names, by their ids. */
export async function expectedOf(
  core: Core,
  stores: OpenStores,
  invocation: Invocation,
): Promise<Pick<TagChanges, "expect">> {
  const texts = invocation.list("expect");
  if (texts.length === 0) return {};
  if (texts.length === 1 && texts[0] === "none") return { expect: "none" };
  const ids: RunRow["id"][] = [];
  for (const text of texts) ids.push((await core.findRun(stores.metadata, text)).run.id);
  return { expect: ids };
}

/** A move as a line: `prod:v1  Train/12 → Train/17`. */
export function moveText(tag: string, from: string | undefined, to: string, context: Context): string {
  const { paint } = context.stdout;
  return `${plain(tag)} ${paint.dim(from === undefined ? "→" : `${from} →`)} ${paint.bold(to)}`;
}
