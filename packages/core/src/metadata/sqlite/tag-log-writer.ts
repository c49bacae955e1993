import type { RunId } from "../../ids/run-id.ts";
import { canonicalJson } from "../canonical-json.ts";
import { bytesOfDigest, digestOfBytes } from "../sql/rows.ts";
import * as tags from "../sql/tags.ts";
import { insertDelivery, webhooks } from "../sql/webhooks.ts";
import { TAG_LOG_START, tagEventDigest } from "../tag-chain.ts";
import type { TagAction, TagActor, TagEvent } from "../tag-event.ts";
import { matchesPattern, policyText, type TagCheck, type TagPolicy } from "../tag-policy.ts";
import type { Statements } from "./statements.ts";

/** What one event says besides who moves, when and why. */
export interface NewTagEvent {
  readonly verb: TagEvent["verb"];
  readonly tag: string;
  readonly run?: RunId;
  readonly from?: RunId;
  readonly checks?: readonly TagCheck[];
  readonly policy?: TagPolicy;
  /** Whether an event of the same move gives the tag to another run: that one tells the webhooks. */
  readonly isTaken?: boolean;
}

/**
 * Appends the events of one move to the log, inside the caller's transaction, and puts what webhooks are to be told of into
 * the outbox. What is no more than a run, a tag and a verb is written in the first format, which older programs know.
 */
export class TagLogWriter {
  readonly #statements: Statements;
  readonly #by: TagActor & { readonly action?: TagAction };
  readonly #events: TagEvent[] = [];
  readonly #isPlain: boolean;
  readonly #first: number;
  #previous: TagEvent["previous"];

  /** @param isPlain  whether all events of the move fit the first format */
  constructor(statements: Statements, by: TagActor & { readonly action?: TagAction }, isPlain: boolean) {
    this.#statements = statements;
    this.#by = by;
    this.#isPlain = isPlain;
    const last = statements.get(tags.lastTagEvent, {});
    this.#first = (last?.sequence ?? 0) + 1;
    this.#previous = last === undefined ? TAG_LOG_START : digestOfBytes(last.digest);
  }

  get events(): readonly TagEvent[] {
    return this.#events;
  }

  append({ isTaken = false, ...what }: NewTagEvent): TagEvent {
    const { actor, host, at, via, reason, action } = this.#by;
    const undigested = {
      sequence: this.#first + this.#events.length,
      at,
      actor,
      host,
      ...what,
      via,
      ...(reason === undefined ? {} : { reason }),
      ...(this.#isPlain ? {} : { move: this.#first }),
      ...(action === undefined ? {} : { action }),
      previous: this.#previous,
    };
    const event: TagEvent = { ...undigested, digest: tagEventDigest(undigested) };
    this.#statements.run(tags.insertTagEvent, {
      sequence: event.sequence,
      at: at.getTime(),
      actor,
      host,
      verb: event.verb,
      tag: event.tag,
      run: event.run ?? null,
      via,
      reason: reason ?? null,
      move: event.move ?? null,
      action: action ?? null,
      from_run: event.from ?? null,
      checks: event.checks === undefined ? null : canonicalJson(event.checks),
      policy: event.policy === undefined ? null : policyText(event.policy),
      previous: bytesOfDigest(event.previous),
      digest: bytesOfDigest(event.digest),
    });
    this.#events.push(event);
    this.#previous = event.digest;
    if (event.run !== undefined && !isTaken) this.#tellWebhooks(event);
    return event;
  }

  #tellWebhooks({ sequence, tag, at }: TagEvent): void {
    for (const { id, pattern } of this.#statements.all(webhooks, {})) {
      if (pattern !== null && !matchesPattern(pattern, tag)) continue;
      this.#statements.run(insertDelivery, { webhook: id, event: sequence, next_at: at.getTime() });
    }
  }
}
