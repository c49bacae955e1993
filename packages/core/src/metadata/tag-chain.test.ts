import { describe, expect, test } from "vitest";
import type { RunId } from "../ids/run-id.ts";
import type { TagEvent } from "./metadata-store.ts";
import { TAG_LOG_START, tagEventDigest, tagEventText, verifyTagLog } from "./tag-chain.ts";

/** The example of docs/formats/tag-log.md. */
const first: Omit<TagEvent, "digest"> = {
  sequence: 1,
  at: new Date(1_777_896_000_123),
  actor: "ann",
  host: "mill-1",
  verb: "add",
  tag: "prod:größe",
  run: "01970000-0000-7000-8000-000000000001" as RunId,
  via: "run",
  previous: TAG_LOG_START,
};

function log(): TagEvent[] {
  const events: TagEvent[] = [];
  let previous = TAG_LOG_START;
  for (let sequence = 1; sequence <= 5; sequence++) {
    const event = {
      ...first,
      sequence,
      previous,
      tag: `t${sequence}`,
      ...(sequence % 2 === 0 ? { reason: "why" } : {}),
    };
    previous = tagEventDigest(event);
    events.push({ ...event, digest: previous });
  }
  return events;
}

describe("the digest of an event", () => {
  test("covers exactly the documented bytes", () => {
    expect(tagEventText(first)).toBe(
      `millrace-tag-event 1\n64:${"0".repeat(64)},1:1,13:1777896000123,3:ann,6:mill-1,3:add,12:prod:größe,36:01970000-0000-7000-8000-000000000001,3:run,-,`,
    );
    expect(tagEventDigest(first)).toMatchInlineSnapshot(
      `"9fbeedbab81f82598a3c6dd8687e4afc818b54c6fcac4fa89ef0c65e84bd8b06"`,
    );
  });

  test("differs when any field differs, and when a character moves between fields", () => {
    const digest = tagEventDigest(first);
    const changes: Partial<TagEvent>[] = [
      { sequence: 2 },
      { at: new Date(0) },
      { actor: "an" },
      { host: "mill-2" },
      { verb: "remove" },
      { tag: "prod" },
      { via: "tag" },
      { run: "01970000-0000-7000-8000-000000000002" as RunId },
      { reason: "" },
      { reason: "-" },
      { previous: "1".repeat(64) as never },
      { actor: "annm", host: "ill-1" },
      { actor: "ann,6:mill-1", host: "" },
    ];
    const digests = changes.map((change) => tagEventDigest({ ...first, ...change }));
    expect(new Set([digest, ...digests]).size).toBe(changes.length + 1);
  });
});

/** The second example of docs/formats/tag-log.md. */
const promoted: Omit<TagEvent, "digest"> = {
  sequence: 3,
  at: new Date(1_777_896_000_789),
  actor: "ann",
  host: "mill-1",
  verb: "add",
  tag: "prod:v1",
  run: "01970000-0000-7000-8000-000000000002" as RunId,
  via: "flow promote",
  reason: "better",
  move: 2,
  action: "promote",
  from: "01970000-0000-7000-8000-000000000001" as RunId,
  checks: [{ id: "V03", status: "pass" }],
  previous: "ab".repeat(32) as TagEvent["previous"],
};

describe("the second format", () => {
  test("covers exactly the documented bytes", () => {
    expect(tagEventText(promoted)).toBe(
      `millrace-tag-event 2\n64:${"ab".repeat(32)},1:3,13:1777896000789,3:ann,6:mill-1,3:add,7:prod:v1,36:01970000-0000-7000-8000-000000000002,12:flow promote,6:better,1:2,7:promote,36:01970000-0000-7000-8000-000000000001,30:[{"id":"V03","status":"pass"}],-,`,
    );
    expect(tagEventDigest(promoted)).toBe("edfd2b32ecd65c375d6cc0e003b1b33bb19d4a1619a3f3dc475f3de70ee0451d");
  });

  test("differs when any of its fields differs", () => {
    const changes: Partial<TagEvent>[] = [
      { move: 3 },
      { action: "rollback" },
      { from: "01970000-0000-7000-8000-000000000002" as RunId },
      { checks: [{ id: "V03", status: "warn" }] },
      { checks: [] },
      { policy: { pattern: "p", exclusive: true } },
      { policy: { pattern: "p", protected: true } },
    ];
    const digests = [promoted, ...changes.map((change) => ({ ...promoted, ...change }))].map(tagEventDigest);
    expect(new Set(digests).size).toBe(changes.length + 1);
  });
});

describe("verifyTagLog", () => {
  test("finds a log whole, and a part of it", () => {
    const events = log();
    expect(verifyTagLog([])).toEqual({ kind: "whole", events: 0, head: TAG_LOG_START });
    expect(verifyTagLog(events)).toEqual({ kind: "whole", events: 5, head: events[4]!.digest });
    expect(verifyTagLog(events.slice(2), events[1]!)).toEqual({ kind: "whole", events: 3, head: events[4]!.digest });
  });

  test("finds every changed field of every event", () => {
    for (let at = 0; at < 5; at++) {
      for (const change of [
        { tag: "other" },
        { actor: "eve" },
        { at: new Date(5) },
        { reason: "forged" },
        { verb: "remove" as const },
        { digest: TAG_LOG_START },
        { previous: "1".repeat(64) as never },
      ]) {
        const events = log();
        events[at] = { ...events[at]!, ...change };
        expect(verifyTagLog(events)).toMatchObject({ kind: "broken", sequence: at + 1 });
      }
    }
  });

  test("finds events that are missing, doubled or swapped", () => {
    for (let at = 0; at < 4; at++) {
      expect(verifyTagLog(log().toSpliced(at, 1))).toMatchObject({ kind: "broken" });
      expect(verifyTagLog(log().toSpliced(at, 0, log()[at]!))).toMatchObject({ kind: "broken" });
      expect(verifyTagLog(log().toSpliced(at, 2, log()[at + 1]!, log()[at]!))).toMatchObject({ kind: "broken" });
    }
  });

  test("finds an event that was changed and hashed again: the next one does not follow", () => {
    const events = log();
    const forged = { ...events[1]!, tag: "forged" };
    events[1] = { ...forged, digest: tagEventDigest(forged) };
    expect(verifyTagLog(events)).toEqual({ kind: "broken", sequence: 3, reason: expect.stringContaining("follow") });
  });
});
