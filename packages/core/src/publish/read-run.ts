/** A manifest of a run, line by line, as whoever builds its records anew reads it. */
import { createHash } from "node:crypto";
import type { Digest } from "../artifact/artifact.ts";
import { framePieces } from "../artifact/large-payload.ts";
import { isFlowError } from "../errors/flow-error.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { BadContent, checkShape, decodeText, parseJson } from "../transfer/json-lines.ts";
import { MAX_LINE_BYTES } from "../transfer/limits.ts";
import { refuseNewer } from "./identity.ts";
import { type HeadLine, headLine, type ManifestLine, manifestLine } from "./lines.ts";
import { damaged, NOT_THERE } from "./publish-error.ts";
import { readAgain } from "./read-again.ts";

/**
 * Reads a manifest, once: whoever takes its lines back may read it again (`readAgain`). Only who came to its end knows that it is what was written.
 *
 * @throws FlowError FLOW_PUBLISH_DAMAGED, FLOW_PUBLISH_NEWER_FORMAT, and those of the bucket
 */
export async function* readRun(bucket: BlobStore, key: string): AsyncGenerator<HeadLine | ManifestLine, void> {
  const sum = createHash("sha256");
  let isFirst = true;
  let isEnded = false;
  try {
    for await (const text of linesOf(bucket, key)) {
      if (isEnded) throw new BadContent("there is something behind its end");
      const value = parseJson(text);
      if (isFirst) {
        refuseNewer(key, (value as { readonly version?: unknown } | null)?.version);
        yield checkShape(value, headLine);
      } else {
        const line = checkShape(value, manifestLine);
        if (line.kind === "end") {
          if (line.digest !== sum.digest("hex")) throw new BadContent("its lines are not those that were written");
          isEnded = true;
        }
        yield line;
      }
      isFirst = false;
      if (!isEnded) sum.update(`${text}\n`);
    }
    if (!isEnded) throw new BadContent("it has no end");
  } catch (error) {
    if (!(error instanceof BadContent)) throw error;
    throw damaged(key, error.message, error);
  }
}

/** The digest of all lines of a manifest; undefined for one that is not whole. */
export async function readRunEnd(bucket: BlobStore, key: string): Promise<Digest | undefined> {
  try {
    return await readAgain(async () => {
      for await (const line of readRun(bucket, key)) if (line.kind === "end") return line.digest;
      return undefined;
    });
  } catch (error) {
    if (!isFlowError(error, "FLOW_PUBLISH_DAMAGED")) throw error;
    return undefined;
  }
}

async function* linesOf(bucket: BlobStore, key: string): AsyncGenerator<string, void> {
  let open: Uint8Array[] = [];
  let openBytes = 0;
  const pieces = framePieces(bucket, key);
  for (let step = await pieces.next(); ; step = await pieces.next()) {
    if (step.done === true) {
      if (step.value === "missing") throw new BadContent(NOT_THERE);
      if (step.value !== undefined) throw new BadContent(step.value);
      break;
    }
    let from = 0;
    for (let end = step.value.indexOf(10); end >= 0; end = step.value.indexOf(10, from)) {
      const part = step.value.subarray(from, end);
      const line = openBytes === 0 ? part : Buffer.concat([...open, part]);
      open = [];
      openBytes = 0;
      from = end + 1;
      yield decodeText(line);
    }
    if (from === step.value.length) continue;
    open.push(step.value.subarray(from));
    openBytes += step.value.length - from;
    if (openBytes > MAX_LINE_BYTES) throw new BadContent("a line in it is too long");
  }
  if (openBytes > 0) throw new BadContent("its last line has no end");
}
