/**
 * The contract of webhooks: addresses that are told when a tag moves, and what they are still to be told.
 *
 * Clauses:
 * - A move that a webhook is to be told of is put into the outbox in the transaction of the move: it is there when the move
 *   is, whatever happens to the process.
 * - `claim` gives the oldest whose time has come, and keeps it from others for a while (the lease); whoever does not come back
 *   within it has died, and another one delivers. So a webhook may be told twice, and is never told not at all.
 * - A move whose event cannot be read is passed over by `claim`, waits for hours and says why (`lastError`): the others are told.
 * - Numbers of webhooks that were removed are never given again.
 * - Secrets are never kept: only the name of the environment variable that holds one.
 */
import type { TagActor, TagEvent } from "./tag-event.ts";

export interface Webhook {
  readonly id: number;
  readonly url: string;
  /** Tags that it is told of (`prod:*`); absent: all. */
  readonly pattern?: string;
  /** Name of the environment variable that holds the secret of its signature. */
  readonly secretEnv?: string;
  readonly createdAt: Date;
  readonly actor: string;
  readonly host: string;
  /** When it last took a move. */
  readonly deliveredAt?: Date;
}

export interface WebhookStatus extends Webhook {
  /** Moves that it is still to be told of. */
  readonly waiting: number;
  /** Of the oldest of them. */
  readonly nextAt?: Date;
  readonly lastError?: string;
}

/** One move that one webhook is to be told of. */
export interface Delivery {
  readonly webhook: number;
  readonly url: string;
  readonly secretEnv?: string;
  readonly event: TagEvent;
  /** How often it was tried before. */
  readonly attempts: number;
}

export interface WebhookStore {
  list(): Promise<readonly WebhookStatus[]>;
  /** @returns its number */
  add(
    webhook: Pick<Webhook, "url" | "pattern" | "secretEnv">,
    by: Pick<TagActor, "actor" | "host" | "at">,
  ): Promise<number>;
  /** Removes a webhook with all that it was to be told. Answers whether it was there. */
  remove(id: number): Promise<boolean>;
  /**
   * The oldest delivery whose time has come; undefined where there is none.
   *
   * @param leaseMs until when nobody else gets it, milliseconds from `at`
   */
  claim(at: Date, leaseMs: number): Promise<Delivery | undefined>;
  /** Told: it leaves the outbox. */
  delivered(delivery: Pick<Delivery, "webhook" | "event">, at: Date): Promise<void>;
  /** Not told: it is tried again at `nextAt`. */
  postpone(delivery: Pick<Delivery, "webhook" | "event" | "attempts">, nextAt: Date, error: string): Promise<void>;
  /** Makes all that waits due at once. */
  hasten(at: Date): Promise<void>;
}
