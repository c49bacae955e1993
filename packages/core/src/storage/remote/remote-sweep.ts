/**
 * Sweeping a store behind a network, by the I/O thread: it lists with ages, and deletes what is old still when it is looked at
 * once more. Between that look and the deletion a writer may make the value young; it is told by the sweep mark, and its
 * commit asks the store again. What writers that are gone left in the spool is swept with it.
 */
import { isFlowError } from "../../errors/flow-error.ts";
import type { UnfinishedUpload } from "../blob-store.ts";
import { openFsSweep } from "../fs/fs-sweep.ts";
import type { BlobSweep } from "../sweep.ts";
import type { RemoteClient } from "./remote-client.ts";
import { setSweepMark } from "./sweep-mark.ts";

export interface RemoteSweepOptions {
  readonly client: RemoteClient;
  readonly spoolFolder: string;
  readonly temporaryFolder: string;
  readonly markFile: string;
  /** For how long `removeOld` may wait for the service; milliseconds, default 10,000. */
  readonly limitMs?: number;
}

const VALUES = "blobs/sha256/";
const VALUE = /^blobs\/sha256\/([0-9a-f]{2})\/\1[0-9a-f]{62}(?:\.zst)?$/;
/** A value that is put again is made young when it is older than 15 minutes, and clocks differ: four times as long is left alone. */
const LEAST_GRACE_MS = 3_600_000;
/** Services refuse whoever is off by more than 15 minutes. */
const CLOCK_SLACK_MS = 20 * 60_000;
/** A third of the time that writers of records wait for each other. */
const LIMIT_MS = 10_000;
/** The I/O thread says by itself that the time is over; it may be busy. */
const ANSWER_MS = 5_000;
/** As many as the service is asked for at once. */
const BATCH = 32;
/** Before the keys of files in the spool, which are none of the store. */
const SPOOLED = "spool/";

/** Before uploads in parts: what the service calls them, and their keys. */
const UPLOADED = "upload/";
/** Keys that are written in parts; a bucket may hold more than the store. */
const OWN_UPLOAD = /^(?:blobs\/sha256|runs|packs)\//;
/** A key may have all rights but that to list uploads, and some services have no uploads to list. */
const NOT_LISTED = ["FLOW_STORAGE_CREDENTIALS", "FLOW_STORAGE_UNSUPPORTED", "FLOW_STORAGE_DENIED"] as const;

export function openRemoteSweep(options: RemoteSweepOptions): BlobSweep {
  const { client, spoolFolder, temporaryFolder, markFile, limitMs = LIMIT_MS } = options;
  const spool = openFsSweep(spoolFolder, temporaryFolder);
  const uploads = new Map<string, UnfinishedUpload>();
  let unlisted: string | undefined;
  return {
    leastGraceMs: LEAST_GRACE_MS,
    clockSlackMs: CLOCK_SLACK_MS,
    batch: BATCH,
    async *pages() {
      let after: string | undefined = "";
      for (let done = 0; after !== undefined; done++) {
        const page: Awaited<ReturnType<typeof list>> = await list(client, after);
        const values = page.keys.flatMap((key, at) => {
          const { sizeBytes, putAt } = page.facts![at]!;
          return putAt === undefined || !VALUE.test(key) ? [] : [{ key, sizeBytes, putAt }];
        });
        yield { values, done };
        after = page.next;
      }
    },
    removeOld(keys, before) {
      setSweepMark(markFile);
      try {
        return new Set(client.callSync("removeOld", { keys, before, limitMs }, limitMs + ANSWER_MS));
      } finally {
        // Once more: who looked between the two marks may have seen what was deleted then.
        setSweepMark(markFile);
      }
    },
    async listUnfinished() {
      const left = [...(await spool.listUnfinished())];
      for await (const { values } of spool.pages())
        left.push(...values.map((value) => ({ ...value, key: SPOOLED + value.key })));
      unlisted = undefined;
      for (const upload of await listUploads(client, (why) => {
        unlisted = why;
      })) {
        if (!OWN_UPLOAD.test(upload.key)) continue;
        const key = `${UPLOADED}${upload.id}/${upload.key}`;
        uploads.set(key, upload);
        left.push({ key, sizeBytes: upload.sizeBytes, putAt: upload.begunAt });
      }
      return left;
    },
    removeUnfinished(name, before) {
      const upload = uploads.get(name);
      if (upload !== undefined) {
        if (upload.begunAt >= before) return false;
        client.callSync("endUpload", { key: upload.key, id: upload.id });
        return true;
      }
      return name.startsWith(SPOOLED)
        ? spool.removeOld([name.slice(SPOOLED.length)], before).size > 0
        : spool.removeUnfinished(name, before);
    },
    whyUnlisted: () => unlisted,
  };
}

async function listUploads(
  client: RemoteClient,
  onRefused: (why: string) => void,
): Promise<readonly UnfinishedUpload[]> {
  try {
    return await client.call("listUploads", {});
  } catch (error) {
    if (!isFlowError(error) || !NOT_LISTED.some((code) => error.code === code)) throw error;
    onRefused(error.message);
    return [];
  }
}

function list(client: RemoteClient, after: string) {
  return client.call("list", { query: { prefix: VALUES, after, withFacts: true } });
}
