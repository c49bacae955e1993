/** Queries about webhooks, and about the moves of tags that they are still to be told of. */
import { query } from "./query.ts";

export const webhooks = query<Record<never, never>>()((db) => db.selectFrom("webhook").selectAll().orderBy("id"));

export const insertWebhook = query<{
  id: number;
  url: string;
  pattern: string | null;
  secret_env: string | null;
  created_at: number;
  actor: string;
  host: string;
}>()((db, arg) =>
  db.insertInto("webhook").values({
    id: arg("id"),
    url: arg("url"),
    pattern: arg("pattern"),
    secret_env: arg("secret_env"),
    created_at: arg("created_at"),
    actor: arg("actor"),
    host: arg("host"),
    delivered_at: null,
  }),
);

export const lastWebhookNumber = query<Record<never, never>>()((db) =>
  db.selectFrom("webhook_number").select("last_number"),
);

export const deleteWebhook = query<{ id: number }>()((db, arg) => db.deleteFrom("webhook").where("id", "=", arg("id")));

export const deleteDeliveriesOf = query<{ webhook: number }>()((db, arg) =>
  db.deleteFrom("webhook_delivery").where("webhook", "=", arg("webhook")),
);

export const insertDelivery = query<{ webhook: number; event: number; next_at: number }>()((db, arg) =>
  db.insertInto("webhook_delivery").values({
    webhook: arg("webhook"),
    event: arg("event"),
    next_at: arg("next_at"),
    attempts: 0,
    last_error: null,
  }),
);

/** The oldest of those whose time has come. */
export const dueDelivery = query<{ at: number }>()((db, arg) =>
  db
    .selectFrom("webhook_delivery")
    .innerJoin("webhook", "webhook.id", "webhook_delivery.webhook")
    .select([
      "webhook_delivery.webhook",
      "webhook_delivery.event",
      "webhook_delivery.attempts",
      "webhook.url",
      "webhook.secret_env",
    ])
    .where("webhook_delivery.next_at", "<=", arg("at"))
    .orderBy("webhook_delivery.next_at")
    .orderBy("webhook_delivery.event")
    .orderBy("webhook_delivery.webhook")
    .limit(1),
);

export const postponeDelivery = query<{
  webhook: number;
  event: number;
  next_at: number;
  attempts: number;
  last_error: string | null;
}>()((db, arg) =>
  db
    .updateTable("webhook_delivery")
    .set({ next_at: arg("next_at"), attempts: arg("attempts"), last_error: arg("last_error") })
    .where("webhook", "=", arg("webhook"))
    .where("event", "=", arg("event")),
);

/** Keeps it from others for a while. */
export const leaseDelivery = query<{ webhook: number; event: number; next_at: number }>()((db, arg) =>
  db
    .updateTable("webhook_delivery")
    .set({ next_at: arg("next_at") })
    .where("webhook", "=", arg("webhook"))
    .where("event", "=", arg("event")),
);

export const deleteDelivery = query<{ webhook: number; event: number }>()((db, arg) =>
  db.deleteFrom("webhook_delivery").where("webhook", "=", arg("webhook")).where("event", "=", arg("event")),
);

export const setWebhookDelivered = query<{ id: number; at: number }>()((db, arg) =>
  db
    .updateTable("webhook")
    .set({ delivered_at: arg("at") })
    .where("id", "=", arg("id")),
);

export const deliveries = query<Record<never, never>>()((db) =>
  db.selectFrom("webhook_delivery").selectAll().orderBy("event").orderBy("webhook"),
);

/** All of them at once, whatever time they wait for. */
export const hastenDeliveries = query<{ at: number }>()((db, arg) =>
  db
    .updateTable("webhook_delivery")
    .set({ next_at: arg("at") })
    .where("next_at", ">", arg("at")),
);
