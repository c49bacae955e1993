/**
 * The hash chain of the tag log: each event's digest covers the event and the digest before it, so that no event can be
 * changed, dropped from the middle, put in or moved without every later digest changing. The exact bytes stand in
 * docs/formats/tag-log.md. What a chain cannot show is that its newest events were cut off; for that, keep its head
 * somewhere else.
 */
import { hash } from "node:crypto";
import type { Digest } from "../artifact/artifact.ts";
import { canonicalJson } from "./canonical-json.ts";
import type { TagEvent } from "./metadata-store.ts";

/** What the first event names as the one before it. */
export const TAG_LOG_START = "0".repeat(64) as Digest;

/** The digest of an event: sha-256 over `tagEventText`. */
export function tagEventDigest(event: Omit<TagEvent, "digest">): Digest {
  return hash("sha256", tagEventText(event), "hex") as Digest;
}

/**
 * The text that an event's digest covers: a line of the format's name, then its fields, each as `<length in bytes>:<UTF-8>,`
 * (a netstring), an absent one as `-,`. The first format, of events without a move, has ten fields; the second has fifteen.
 */
export function tagEventText(event: Omit<TagEvent, "digest">): string {
  const first = [
    event.previous,
    String(event.sequence),
    String(event.at.getTime()),
    event.actor,
    event.host,
    event.verb,
    event.tag,
    event.run,
    event.via,
    event.reason,
  ];
  if (event.move === undefined) return `millrace-tag-event 1\n${first.map(netstring).join("")}`;
  const more = [
    String(event.move),
    event.action,
    event.from,
    event.checks === undefined ? undefined : canonicalJson(event.checks),
    event.policy === undefined ? undefined : canonicalJson(event.policy),
  ];
  return `millrace-tag-event 2\n${[...first, ...more].map(netstring).join("")}`;
}

function netstring(field: string | undefined): string {
  return field === undefined ? "-," : `${Buffer.byteLength(field)}:${field},`;
}

export type TagLogReport =
  /** `head` is the digest to compare with one that was kept elsewhere, or to go on from. */
  | { readonly kind: "whole"; readonly events: number; readonly head: Digest }
  | { readonly kind: "broken"; readonly sequence: number; readonly reason: string };

/**
 * Checks a tag log, or a part of one, from its oldest event on.
 *
 * @param events ascending by sequence
 * @param after where the part begins: the sequence and digest of the event before it; default, the log's beginning
 */
export function verifyTagLog(
  events: Iterable<TagEvent>,
  after: { readonly sequence: number; readonly digest: Digest } = { sequence: 0, digest: TAG_LOG_START },
): TagLogReport {
  let { sequence, digest } = after;
  let count = 0;
  for (const event of events) {
    const broken = (reason: string): TagLogReport => ({ kind: "broken", sequence: event.sequence, reason });
    if (event.sequence !== sequence + 1)
      return broken(`event ${sequence + 1} is missing: ${event.sequence} follows ${sequence}`);
    if (event.previous !== digest) return broken("it does not follow the event before it");
    if (tagEventDigest(event) !== event.digest) return broken("it was changed after it was written");
    ({ sequence, digest } = event);
    count++;
  }
  return { kind: "whole", events: count, head: digest };
}
