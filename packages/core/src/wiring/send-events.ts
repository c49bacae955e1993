/** Sending events to an HTTP endpoint that the user named: one request an event, in order, with a few attempts each. */
import { FlowError } from "../errors/flow-error.ts";

export interface SendOptions {
  /** Sent as `Authorization: Bearer …`. */
  readonly key?: string;
  /** How long one attempt may take; milliseconds, default 10,000. */
  readonly timeoutMs?: number;
  /** Waits between attempts; milliseconds, default 500, 1,000 and 2,000: four attempts. */
  readonly waitsMs?: readonly number[];
}

const WAITS_MS = [500, 1_000, 2_000];
/** Of an answer that refuses, what is shown. */
const SHOWN_CHARACTERS = 200;

/**
 * Sends events as JSON by POST. What may pass (no answer, 408, 429, 5xx) is tried again; what an endpoint refuses is not,
 * and a redirect is a refusal, so that a key never goes to another place than the one that was named.
 *
 * @returns how many were sent
 * @throws FlowError FLOW_LINEAGE_NOT_SENT, with the number of events that had been sent before
 */
export async function sendEvents(url: URL, events: AsyncIterable<object>, options: SendOptions = {}): Promise<number> {
  let sent = 0;
  for await (const event of events) {
    await sendOne(url, event, sent, options);
    sent++;
  }
  return sent;
}

async function sendOne(url: URL, event: object, sent: number, options: SendOptions): Promise<void> {
  const { key, timeoutMs = 10_000, waitsMs = WAITS_MS } = options;
  for (let attempt = 0; ; attempt++) {
    const outcome = await attemptOf(url, event, key, timeoutMs);
    if (outcome === undefined) return;
    const wait = outcome.mayPass ? waitsMs[attempt] : undefined;
    if (wait === undefined) {
      const attempts = attempt === 0 ? "" : ` in ${attempt + 1} attempts`;
      throw new FlowError("FLOW_LINEAGE_NOT_SENT", {
        message: `Cannot send to "${url.origin}${url.pathname}": ${outcome.why}${attempts}, after ${sent} events were sent`,
        hint: "Look at the endpoint and the key, then send all again: an event that comes twice is one event",
        context: { endpoint: `${url.origin}${url.pathname}`, sent },
        ...(outcome.cause === undefined ? {} : { cause: outcome.cause }),
      });
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

interface Failure {
  readonly why: string;
  readonly mayPass: boolean;
  readonly cause?: unknown;
}

async function attemptOf(
  url: URL,
  event: object,
  key: string | undefined,
  timeoutMs: number,
): Promise<Failure | undefined> {
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
      body: JSON.stringify(event),
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await answer.text();
    if (answer.ok) return undefined;
    const { status } = answer;
    const shown = key === undefined ? text : text.replaceAll(key, "…"); // An endpoint may repeat what it was sent.
    return {
      why: `it answered ${status}${shown === "" ? "" : ` (${shown.slice(0, SHOWN_CHARACTERS)})`}`,
      mayPass: status === 408 || status === 429 || status >= 500,
    };
  } catch (cause) {
    const isLate = cause instanceof Error && cause.name === "TimeoutError";
    return { why: isLate ? `it gave no answer within ${timeoutMs} ms` : "it cannot be reached", mayPass: true, cause };
  }
}
