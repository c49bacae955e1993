import type { Environment } from "../config/config.ts";
import type { RunEvent } from "../events/run-event.ts";
import type { MetadataStore, RunRow } from "../metadata/metadata-store.ts";

/**
 * Tells webhooks of the tags that a run got when it succeeded, for a bounded time. The run is over and its record written:
 * a webhook that could not be told is a warning, and told later.
 */
export async function tellWebhooks(
  metadata: MetadataStore,
  run: RunRow,
  environment: Environment,
  emit: (event: RunEvent) => void,
): Promise<void> {
  if (run.tags.length === 0) return;
  const { AFTER_MOVE_MS, deliverWebhooks } = await import("../client/webhooks.ts");
  const { failed } = await deliverWebhooks({ metadata, environment, now: Date.now }, AFTER_MOVE_MS);
  for (const { webhook, error } of failed) {
    emit({
      kind: "run.warning",
      at: new Date(),
      code: "FLOW_WEBHOOK_NOT_DELIVERED",
      message: `Webhook ${webhook} was not told: ${error}`,
      hint: "Nothing is lost: flow webhook deliver tries again, and so does the next move of a tag",
    });
  }
}
