/** What the handles of a client do around each move of a tag: say who moves, and tell webhooks afterwards. */
import type { TagActor } from "../metadata/metadata-store.ts";
import type { ClientContext } from "./client.ts";
import { AFTER_MOVE_MS, deliverWebhooks } from "./webhooks.ts";

export function actorOf({ actor, host, now }: ClientContext, reason: string | undefined): TagActor {
  return { actor, host, at: now(), via: "client", ...(reason === undefined ? {} : { reason }) };
}

/** The tag has moved: a webhook that could not be told is no error of who moved it, and is told later. */
export async function tellWebhooks({ metadata, environment, now, warn }: ClientContext): Promise<void> {
  const { failed } = await deliverWebhooks({ metadata, environment, now: () => now().getTime() }, AFTER_MOVE_MS);
  for (const { webhook, error } of failed) {
    warn({
      code: "FLOW_WEBHOOK_NOT_DELIVERED",
      message: `Webhook ${webhook} was not told: ${error}`,
      hint: "Nothing is lost: flow webhook deliver tries again, and so does the next move of a tag",
    });
  }
}
