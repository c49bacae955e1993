/**
 * Telling webhooks of moves of tags. What is to be told lies in the outbox of the store since the transaction of the move; the
 * command that moved delivers after its commit, for a bounded time and without failing, and what it could not deliver waits
 * for the next command that moves a tag, or for `flow webhook deliver`. Only addresses that users have given are called.
 */
import { createHmac } from "node:crypto";
import { FlowError } from "../errors/flow-error.ts";
import type { MetadataStore, TagActor, TagEvent } from "../metadata/metadata-store.ts";
import { patternProblem } from "../metadata/tag-policy.ts";
import type { Delivery, Webhook } from "../metadata/webhook-store.ts";
import { RunNames } from "./tag-history.ts";

/** One call; a server that takes longer has not taken the move. */
const CALL_MS = 3_000;
/** Beyond a call, so that nobody else tells while this process may still do. */
const LEASE_MS = 4 * CALL_MS;
/** How long a command that has moved a tag goes on with telling; what is left waits. */
export const AFTER_MOVE_MS = 5_000;
const FIRST_RETRY_MS = 30_000;
/** 6 h: a server that is away for long is asked four times a day. */
const MAX_RETRY_MS = 21_600_000;
const MAX_ERROR = 300;

export interface WebhookCaller {
  readonly metadata: MetadataStore;
  /** Where secrets are found by the names of their variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
}

export interface DeliveryReport {
  readonly delivered: number;
  readonly failed: readonly { readonly webhook: number; readonly url: string; readonly error: string }[];
}

/**
 * Tells webhooks of all moves whose time has come, the oldest first.
 *
 * @param limitMs after how long no further call begins; milliseconds, default no limit
 */
export async function deliverWebhooks(
  { metadata, environment, now }: WebhookCaller,
  limitMs: number = Number.POSITIVE_INFINITY,
): Promise<DeliveryReport> {
  const begin = performance.now();
  const failed: DeliveryReport["failed"][number][] = [];
  let delivered = 0;
  while (performance.now() - begin < limitMs) {
    const at = new Date(now());
    const delivery = await metadata.webhooks.claim(at, LEASE_MS);
    if (delivery === undefined) break;
    const { webhook, url, attempts } = delivery;
    const error = await tell(metadata, delivery, environment, at);
    if (error === undefined) {
      await metadata.webhooks.delivered(delivery, new Date(now()));
      delivered++;
    } else {
      const wait = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts, 20));
      await metadata.webhooks.postpone(delivery, new Date(now() + wait), error);
      failed.push({ webhook, url, error });
    }
  }
  return { delivered, failed };
}

/** @returns why it was not told, or undefined when it was */
async function tell(
  metadata: MetadataStore,
  { webhook, url, secretEnv, event }: Delivery,
  environment: WebhookCaller["environment"],
  at: Date,
): Promise<string | undefined> {
  const { storeId } = await metadata.info();
  const id = `${storeId}:${event.sequence}:${webhook}`;
  const body = JSON.stringify(await bodyOf(metadata, event, { id, storeId }));
  return await post(url, body, { id, secretEnv, kind: "tag.moved", environment, at });
}

/** Sends a test to one webhook; nothing is kept of it. */
export async function testWebhook(
  { metadata, environment, now }: WebhookCaller,
  { id: webhook, url, secretEnv }: Pick<Webhook, "id" | "url" | "secretEnv">,
): Promise<void> {
  const { storeId } = await metadata.info();
  const at = new Date(now());
  const id = `${storeId}:test-${at.getTime()}:${webhook}`;
  const body = JSON.stringify({ schema: 1, kind: "test", id, store: storeId, at: at.toISOString() });
  const error = await post(url, body, { id, secretEnv, kind: "test", environment, at });
  if (error === undefined) return;
  throw new FlowError("FLOW_WEBHOOK_NOT_DELIVERED", {
    message: `Cannot tell webhook ${webhook}: ${error}`,
    hint: "Look at the server behind its URL",
    context: { webhook },
  });
}

async function bodyOf(
  metadata: MetadataStore,
  event: TagEvent,
  ids: { readonly id: string; readonly storeId: string },
) {
  const runs = new RunNames(metadata);
  const { run, from, sequence, at, actor, host, verb, tag, via, reason, action, checks, digest } = event;
  return {
    schema: 1,
    kind: "tag.moved",
    id: ids.id,
    store: ids.storeId,
    sequence,
    at: at.toISOString(),
    verb,
    tag,
    ...(run === undefined ? {} : { run: await runs.full(run), runId: run }),
    ...(from === undefined ? {} : { from: await runs.full(from), fromId: from }),
    actor,
    host,
    via,
    ...(action === undefined ? {} : { action }),
    ...(reason === undefined ? {} : { reason }),
    ...(checks === undefined ? {} : { checks }),
    digest,
  };
}

interface Call {
  /** The same each time one thing is told, so that a receiver can tell a repetition. */
  readonly id: string;
  readonly kind: "tag.moved" | "test";
  readonly secretEnv: string | undefined;
  readonly environment: WebhookCaller["environment"];
  readonly at: Date;
}

async function post(url: string, body: string, call: Call): Promise<string | undefined> {
  const secret = call.secretEnv === undefined ? undefined : call.environment[call.secretEnv];
  if (call.secretEnv !== undefined && (secret === undefined || secret === ""))
    return `the variable ${call.secretEnv}, which holds its secret, is not set`;
  try {
    const response = await fetch(url, {
      method: "POST",
      body,
      // Nobody but the address that was given is told: an answer that leads elsewhere is none.
      redirect: "manual",
      signal: AbortSignal.timeout(CALL_MS),
      headers: {
        "content-type": "application/json",
        "user-agent": "millrace-webhook",
        "millrace-event": call.kind,
        "idempotency-key": call.id,
        ...(secret === undefined ? {} : { "millrace-signature": signatureOf(secret, body, call.at) }),
      },
    });
    await response.body?.cancel();
    return response.ok ? undefined : `its server answered ${response.status}`;
  } catch (error) {
    const why = error instanceof Error ? (error.cause instanceof Error ? error.cause.message : error.message) : error;
    return String(why).slice(0, MAX_ERROR);
  }
}

/** `t=SECONDS,v1=HEX`: HMAC-SHA256 over `SECONDS.BODY`, so that an old call cannot be sent again for a new one. */
export function signatureOf(secret: string, body: string, at: Date): string {
  const seconds = Math.floor(at.getTime() / 1_000);
  return `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`;
}

/**
 * Adds an address that is told of moves from now on.
 *
 * @throws FlowError FLOW_WEBHOOK_BAD_URL, FLOW_TAG_BAD_POLICY for a pattern that is none
 */
export async function addWebhook(
  metadata: MetadataStore,
  webhook: Pick<Webhook, "url" | "pattern" | "secretEnv">,
  by: TagActor,
): Promise<number> {
  const why = urlProblem(webhook.url);
  if (why !== undefined) {
    throw new FlowError("FLOW_WEBHOOK_BAD_URL", {
      message: `Cannot add the webhook: ${why}`,
      hint: "Give an http or https URL; what proves who calls is the signature, with --secret-env",
    });
  }
  const pattern = webhook.pattern === undefined ? undefined : patternProblem(webhook.pattern);
  if (pattern !== undefined) {
    throw new FlowError("FLOW_TAG_BAD_POLICY", {
      message: `Cannot add the webhook: ${JSON.stringify(webhook.pattern!.slice(0, 200))} is no pattern of tags: ${pattern}`,
      hint: "Write a tag, with * for any characters",
    });
  }
  return await metadata.webhooks.add(webhook, by);
}

function urlProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return "its URL cannot be read";
  const { protocol, username, password } = new URL(text);
  if (protocol !== "https:" && protocol !== "http:") return `"${protocol}" is no way to call it`;
  return username === "" && password === ""
    ? undefined
    : "its URL holds a user name or a password, which would be kept";
}
