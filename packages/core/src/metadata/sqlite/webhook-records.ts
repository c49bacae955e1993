import { isFlowError } from "../../errors/flow-error.ts";
import { toTagEvent } from "../sql/rows.ts";
import { tagEventBySequence } from "../sql/tags.ts";
import * as hooks from "../sql/webhooks.ts";
import type { TagEvent } from "../tag-event.ts";
import type { Delivery, WebhookStatus, WebhookStore } from "../webhook-store.ts";
import type { Statements } from "./statements.ts";

/** 6 h, as long as the longest wait for a server: somebody has to mend the log first. */
const UNREADABLE_MS = 21_600_000;

/** Runs statements in one transaction, as the store that holds them does. */
type Transaction = <T>(action: string, work: (on: Statements) => T) => Promise<T>;

/** Webhooks in a SQLite file. */
export function webhookRecords(read: <T>(work: (on: Statements) => T) => Promise<T>, write: Transaction): WebhookStore {
  return {
    list: () => read(list),
    add: (webhook, { actor, host, at }) =>
      write("Cannot add the webhook", (on) => {
        const id = (on.get(hooks.lastWebhookNumber, {})?.last_number ?? 0) + 1;
        on.run(hooks.insertWebhook, {
          id,
          url: webhook.url,
          pattern: webhook.pattern ?? null,
          secret_env: webhook.secretEnv ?? null,
          created_at: at.getTime(),
          actor,
          host,
        });
        return id;
      }),
    remove: (id) =>
      write("Cannot remove the webhook", (on) => {
        on.run(hooks.deleteDeliveriesOf, { webhook: id });
        return on.run(hooks.deleteWebhook, { id }) > 0;
      }),
    claim: async (at, leaseMs) => {
      // Most commands have nothing to tell: a look needs no turn of the writers.
      const isDue = await read((on) => on.get(hooks.dueDelivery, { at: at.getTime() }) !== undefined);
      return isDue
        ? await write("Cannot look for what webhooks are to be told", (on) => claim(on, at, leaseMs))
        : undefined;
    },
    delivered: ({ webhook, event }, at) =>
      write("Cannot record that a webhook was told", (on) => {
        on.run(hooks.deleteDelivery, { webhook, event: event.sequence });
        on.run(hooks.setWebhookDelivered, { id: webhook, at: at.getTime() });
      }),
    postpone: ({ webhook, event, attempts }, nextAt, error) =>
      write("Cannot record that a webhook was not told", (on) => {
        const row = { webhook, event: event.sequence, next_at: nextAt.getTime(), attempts: attempts + 1 };
        on.run(hooks.postponeDelivery, { ...row, last_error: error });
      }),
    hasten: (at) => write("Cannot hasten webhooks", (on) => void on.run(hooks.hastenDeliveries, { at: at.getTime() })),
  };
}

function list(on: Statements): readonly WebhookStatus[] {
  const waiting = Map.groupBy(on.all(hooks.deliveries, {}), ({ webhook }) => webhook);
  return on.all(hooks.webhooks, {}).map((row) => {
    const own = waiting.get(row.id) ?? [];
    const error = own.findLast(({ last_error }) => last_error !== null)?.last_error;
    return {
      id: row.id,
      url: row.url,
      ...(row.pattern === null ? {} : { pattern: row.pattern }),
      ...(row.secret_env === null ? {} : { secretEnv: row.secret_env }),
      createdAt: new Date(row.created_at),
      actor: row.actor,
      host: row.host,
      ...(row.delivered_at === null ? {} : { deliveredAt: new Date(row.delivered_at) }),
      waiting: own.length,
      ...(own[0] === undefined ? {} : { nextAt: new Date(own[0].next_at) }),
      ...(error === null || error === undefined ? {} : { lastError: error }),
    };
  });
}

function claim(on: Statements, at: Date, leaseMs: number): Delivery | undefined {
  for (;;) {
    const due = on.get(hooks.dueDelivery, { at: at.getTime() });
    if (due === undefined) return undefined; // Another process was faster.
    const { webhook, event: sequence, attempts, url, secret_env } = due;
    const event = readEvent(on, sequence);
    if (typeof event === "string") {
      // One that cannot be told must not keep back those behind it. It stays, so that it is told when the log is mended.
      const next_at = at.getTime() + UNREADABLE_MS;
      on.run(hooks.postponeDelivery, { webhook, event: sequence, next_at, attempts: attempts + 1, last_error: event });
      continue;
    }
    on.run(hooks.leaseDelivery, { webhook, event: sequence, next_at: at.getTime() + leaseMs });
    return { webhook, url, ...(secret_env === null ? {} : { secretEnv: secret_env }), event, attempts };
  }
}

/** A move of the log; or why it cannot be read. */
function readEvent(on: Statements, sequence: number): TagEvent | string {
  const row = on.get(tagEventBySequence, { sequence });
  if (row === undefined) return `event ${sequence} of the log of tags is not there`;
  try {
    return toTagEvent(row);
  } catch (error) {
    if (!isFlowError(error)) throw error;
    return `event ${sequence} of the log of tags cannot be read: ${error.message}`;
  }
}
