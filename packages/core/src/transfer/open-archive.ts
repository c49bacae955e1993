import fs from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import { isFlowError } from "../errors/flow-error.ts";
import { asideName } from "../util/aside-name.ts";
import { BLOCK_BYTES, tarPadding } from "../util/tar.ts";
import { ArchiveFile } from "./archive-file.ts";
import { BadContent } from "./json-lines.ts";
import { readManifest, readManifestHead } from "./read-manifest.ts";
import { badFile } from "./transfer-error.ts";

/**
 * Opens an export file. What comes through a pipe is kept aside first, in a file without a name: a kill leaves nothing of it.
 *
 * @param source a path, or the stream that the file comes through
 * @param options.folder where the bytes of a pipe are kept while they are needed
 * @throws FlowError FLOW_TRANSFER_BAD_FILE
 */
export async function openArchive(
  source: string | Readable,
  options: { readonly folder: string; readonly name: string },
): Promise<ArchiveFile> {
  const { name } = options;
  try {
    if (typeof source !== "string") return await keepAside(source, options);
    const fd = fs.openSync(source, "r");
    if (fs.fstatSync(fd).isFile()) return new ArchiveFile(fd, name);
    // The stream closes the descriptor; reading a folder fails by itself.
    return await keepAside(fs.createReadStream(source, { fd }), options);
  } catch (error) {
    if (isFlowError(error)) throw error;
    throw badFile(name, error instanceof Error ? error.message : String(error), error, hintFor(error));
  }
}

/** What the system said of the file, or of the place where a pipe is kept; undefined for what is wrong with its content. */
function hintFor(error: unknown): string | undefined {
  switch (error instanceof Error && "code" in error ? error.code : undefined) {
    case "ENOENT":
    case "ENOTDIR":
      return "Name a file that flow export has written: this one is not there";
    case "EISDIR":
      return "Name a file that flow export has written: this is a folder";
    case "EACCES":
    case "EPERM":
      return "Give this user the right to read the file";
    case "ENOSPC":
    case "EDQUOT":
      return "Free room on the disk: what comes through a pipe is kept until it is checked";
    default:
      return undefined;
  }
}

async function keepAside(
  stream: Readable,
  { folder, name }: { readonly folder: string; readonly name: string },
): Promise<ArchiveFile> {
  const aside = path.join(folder, asideName("TMP"));
  const fd = fs.openSync(aside, "wx+", 0o600);
  try {
    fs.unlinkSync(aside);
    let sizeBytes = 0;
    let limit = limitOf(fd, name, sizeBytes);
    for await (const piece of stream as AsyncIterable<Uint8Array>) {
      for (let at = 0; at < piece.length; ) at += fs.writeSync(fd, piece, at, piece.length - at, sizeBytes + at);
      sizeBytes += piece.length;
      if (sizeBytes > limit.endsAt) limit = limitOf(fd, name, sizeBytes);
      if (limit.isFinal && sizeBytes > limit.endsAt) throw new BadContent("something follows its end");
    }
    return new ArchiveFile(fd, name);
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

/** How much may come: at first the head of the manifest, then the manifest, then all that it names. So no pipe fills a disk. */
function limitOf(fd: number, name: string, sizeBytes: number): { readonly endsAt: number; readonly isFinal: boolean } {
  if (sizeBytes < BLOCK_BYTES) return { endsAt: BLOCK_BYTES - 1, isFinal: false };
  const file = new ArchiveFile(fd, name);
  const head = readManifestHead(file.read(0, BLOCK_BYTES));
  const manifestEndsAt = head.contentAt + head.sizeBytes + tarPadding(head.sizeBytes);
  if (sizeBytes < manifestEndsAt) return { endsAt: manifestEndsAt - 1, isFinal: false };
  return { endsAt: readManifest(file).endAt, isFinal: true };
}
