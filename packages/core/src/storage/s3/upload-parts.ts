/**
 * A large value in parts: created, sent some at once, and completed; what fails is aborted, so that no parts are left that
 * nobody sees and somebody pays for.
 */
import { randomUUID } from "node:crypto";
import type { Attempt } from "../attempt.ts";
import type { S3Calls } from "./s3-calls.ts";
import { nameOf, statusOf } from "./s3-error.ts";

export interface PartsUpload {
  readonly calls: S3Calls;
  /** As the caller knows it, for messages. */
  readonly key: string;
  readonly named: { readonly Bucket: string; readonly Key: string };
  readonly attempt: Attempt;
  readonly partsAtOnce: number;
  /** Whether the service creates a key only where it is missing. */
  readonly isAtomic: boolean;
  /** What the value under the key was created with; undefined when nothing is there. */
  readonly uploadOf: () => Promise<string | undefined>;
  /** Is told of parts that have arrived: their memory is free. */
  readonly onArrived?: (part: Uint8Array) => void;
}

/** The name of the metadata that says by which upload a value came: the one that is sure to be ours after a lost answer. */
export const UPLOAD = "millrace-upload";

/** @returns whether the value was created, or another one has the key */
export async function createByParts(
  upload: PartsUpload,
  parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<"created" | "exists"> {
  const { attempt } = upload;
  const mark = randomUUID();
  const begun = await begin(upload, { [UPLOAD]: mark });
  try {
    const sent = await sendParts(upload, begun, parts);
    // Not every service looks at the condition when it completes an upload.
    const there = await attempt("put", upload.uploadOf);
    if (there === undefined) return await complete(upload, begun, mark, sent);
  } catch (error) {
    await abort(upload, begun);
    throw error;
  }
  await abort(upload, begun);
  return "exists";
}

/** A value in parts that the service takes from the value itself: for one that is too large to be copied by one request. */
export async function copyByParts(
  upload: PartsUpload,
  source: { readonly CopySource: string; readonly CopySourceIfMatch: string },
  value: {
    readonly sizeBytes: number;
    readonly metadata: Readonly<Record<string, string>>;
    readonly partBytes: number;
  },
): Promise<void> {
  const { calls, key, attempt } = upload;
  const begun = await begin(upload, value.metadata);
  try {
    const Parts: SentPart[] = [];
    for (let start = 0; start < value.sizeBytes; start += value.partBytes) {
      const PartNumber = Parts.length + 1;
      const CopySourceRange = `bytes=${start}-${Math.min(start + value.partBytes, value.sizeBytes) - 1}`;
      const command = new calls.sdk.UploadPartCopyCommand({ ...begun, ...source, PartNumber, CopySourceRange });
      const { CopyPartResult } = await attempt("put", () =>
        calls.call({ verb: "put", key }, value.partBytes, ({ options }) => calls.client.send(command, options)),
      );
      Parts.push({ PartNumber, ETag: CopyPartResult?.ETag });
    }
    const whole = new calls.sdk.CompleteMultipartUploadCommand({ ...begun, MultipartUpload: { Parts } });
    await calls.call({ verb: "put", key }, 0, ({ options }) => calls.client.send(whole, options));
  } catch (error) {
    await abort(upload, begun);
    throw error;
  }
}

async function begin({ calls, key, named, attempt }: PartsUpload, Metadata: Readonly<Record<string, string>>) {
  const command = new calls.sdk.CreateMultipartUploadCommand({ ...named, Metadata: { ...Metadata } });
  const { UploadId } = await attempt("put", () =>
    calls.call({ verb: "put", key }, 0, ({ options }) => calls.client.send(command, options)),
  );
  return { ...named, UploadId };
}

interface Begun {
  readonly Bucket: string;
  readonly Key: string;
  readonly UploadId: string | undefined;
}

interface SentPart {
  readonly PartNumber: number;
  readonly ETag: string | undefined;
}

async function sendParts(
  { calls, key, attempt, partsAtOnce, onArrived }: PartsUpload,
  begun: Begun,
  parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<readonly SentPart[]> {
  const sent: SentPart[] = [];
  const underWay = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  const send = async (PartNumber: number, Body: Uint8Array) => {
    try {
      let tries = 0;
      const { ETag } = await attempt("put", () => {
        tries++;
        return calls.call({ verb: "put", key }, Body.length, ({ options }) =>
          calls.client.send(new calls.sdk.UploadPartCommand({ ...begun, PartNumber, Body }), options),
        );
      });
      sent[PartNumber - 1] = { PartNumber, ETag };
      if (tries === 1) onArrived?.(Body); // Of a request that was given up nobody knows when it last reads its bytes.
    } catch (error) {
      failure ??= { error };
    }
  };
  let number = 0;
  try {
    for await (const part of parts) {
      const sending: Promise<void> = send(++number, part).finally(() => underWay.delete(sending));
      underWay.add(sending);
      if (underWay.size >= partsAtOnce) await Promise.race(underWay);
      if (failure !== undefined) break;
    }
  } finally {
    await Promise.all(underWay); // A part that arrives after the upload was aborted would be kept.
  }
  if (failure !== undefined) throw failure.error;
  return sent;
}

async function complete(
  { calls, key, attempt, isAtomic, uploadOf }: PartsUpload,
  begun: Begun,
  mark: string,
  Parts: readonly SentPart[],
): Promise<"created" | "exists"> {
  return await attempt("put", async () => {
    const isNew = await calls.call({ verb: "put", key }, 0, async ({ options }) => {
      try {
        await calls.client.send(
          new calls.sdk.CompleteMultipartUploadCommand({
            ...begun,
            MultipartUpload: { Parts: [...Parts] },
            ...(isAtomic ? { IfNoneMatch: "*" } : {}),
          }),
          options,
        );
        return true;
      } catch (error) {
        const status = statusOf(error);
        if (status !== 409 && status !== 412 && nameOf(error) !== "NoSuchUpload") throw error;
        return false;
      }
    });
    if (isNew) return "created";
    // Somebody was first: perhaps this upload itself, by a try whose answer was lost.
    const there = await attempt("put", uploadOf);
    if (there === mark) return "created";
    if (there !== undefined) return "exists";
    return await calls.call({ verb: "put", key }, 0, () =>
      Promise.reject(Object.assign(new Error(), { name: "OperationAborted" })),
    );
  });
}

/** Does what it can: what is left is ended by a rule of the bucket (docs/guide/storage.md). */
async function abort({ calls, key }: PartsUpload, begun: Begun): Promise<void> {
  try {
    await calls.call({ verb: "put", key }, 0, ({ options }) =>
      calls.client.send(new calls.sdk.AbortMultipartUploadCommand(begun), options),
    );
  } catch {
    // The error that led here says what is wrong.
  }
}
