import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { inspect } from "node:util";
import { FlowError } from "../../errors/flow-error.ts";
import { OutputFile } from "../../util/output-file.ts";
import type { FileContent } from "./file-content.ts";
import { type FolderEntry, folderEntries } from "./read-folder.ts";

/** Shared by all copies of core, as the registry of classes is: a flow may bring one of its own. */
const CONTENT = Symbol.for("millrace.file-content@1");

interface Kept {
  readonly kind: "file" | "folder";
  readonly name: string;
  readonly content: FileContent;
  /** Of a file that is called after the field that it is kept in, with this ending. */
  readonly ending?: string;
}

abstract class Stored {
  /** What it is called when it is written somewhere; never a path. */
  readonly name: string;
  declare protected readonly content: FileContent;

  constructor(kind: Kept["kind"], name: string, content: FileContent, naming: Pick<Kept, "ending"> = {}) {
    this.name = name;
    const kept: Kept = { kind, name, content, ...naming };
    Object.defineProperty(this, CONTENT, { value: kept });
    Object.defineProperty(this, "content", { value: content });
    Object.freeze(this);
  }

  /** SHA-256 of what is stored, 64 hex digits; undefined until it was stored. */
  get digest(): string | undefined {
    return this.content.stored?.ref.digest;
  }

  toJSON(): { readonly name: string; readonly digest?: string; readonly sizeBytes?: number } {
    const { stored } = this.content;
    return { name: this.name, ...(stored && { digest: stored.ref.digest, sizeBytes: stored.ref.sizeBytes }) };
  }

  [inspect.custom](): string {
    const { stored } = this.content;
    const where =
      stored === undefined ? "not stored yet" : `${stored.ref.sizeBytes} bytes, sha256 ${stored.ref.digest}`;
    return `${this.constructor.name} ${JSON.stringify(this.name)} (${where})`;
  }
}

/**
 * A file as an artifact. Reading the field costs nothing: its bytes are read, and checked against their digest, by the
 * methods. It never changes.
 *
 * @example
 * const session = await InferenceSession.create(await this.model.data.network.bytes());
 */
export class StoredFile extends Stored {
  constructor(name: string, content: FileContent, naming: { readonly ending?: string } = {}) {
    super("file", name, content, naming);
  }

  /** Bytes; of a file that is not stored yet, as many as it has now. */
  get sizeBytes(): number {
    return this.content.stored?.ref.sizeBytes ?? this.content.size();
  }

  /**
   * All bytes, in memory of the caller's own.
   *
   * @throws FlowError FLOW_ARTIFACT_MISSING, FLOW_ARTIFACT_DAMAGED; FLOW_ARTIFACT_BAD_FILE before it is stored
   */
  async bytes(): Promise<Buffer> {
    return await buffer(this.content.pieces());
  }

  /** As `bytes`, without waiting. */
  bytesSync(): Buffer {
    const bytes = this.content.whole();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Its bytes as UTF-8. */
  async text(): Promise<string> {
    return (await this.bytes()).toString("utf8");
  }

  /** Its bytes piece by piece. Do not use what came before the end came without an error. */
  stream(): Readable {
    return Readable.from(this.content.pieces());
  }

  /**
   * Writes it as a file, which is there as a whole or not at all.
   *
   * @param target path of the file, or of a folder that is there: then the file gets its own name in it
   * @returns the path of the file
   */
  async copyTo(target: string): Promise<string> {
    const isFolder = (await stat(target).catch(() => undefined))?.isDirectory() === true;
    const file = path.resolve(isFolder ? path.join(target, this.name) : target);
    await writeWhole(file, this.content.pieces());
    return file;
  }
}

/** A folder of files as an artifact. Empty folders, links and rights are not kept. */
export class StoredFolder extends Stored {
  constructor(name: string, content: FileContent) {
    super("folder", name, content);
  }

  /** Its files, sorted by path. */
  async files(): Promise<readonly FolderEntry[]> {
    const files: FolderEntry[] = [];
    for await (const { path: name, sizeBytes } of this.#entries()) files.push({ path: name, sizeBytes });
    return files;
  }

  /**
   * The bytes of one of its files.
   *
   * @param name its path from the folder, with `/` between the parts
   * @throws FlowError FLOW_ARTIFACT_NO_FILE
   */
  async bytes(name: string): Promise<Buffer> {
    const names: string[] = [];
    let found: Buffer | undefined;
    // To the end, so that what is given was checked.
    for await (const entry of this.#entries()) {
      names.push(entry.path);
      if (entry.path === name) found = await buffer(entry.pieces);
    }
    if (found !== undefined) return found;
    throw new FlowError("FLOW_ARTIFACT_NO_FILE", {
      message: `There is no file ${JSON.stringify(name)} in the folder "${this.name}"`,
      hint: `It holds ${names.slice(0, 10).join(", ") || "nothing"}${names.length > 10 ? ", …" : ""}`,
      context: { file: name, folder: this.name },
    });
  }

  /**
   * Writes the folder, which is there as a whole or not at all.
   *
   * @param target path of the folder that is made; it must not be there, or be empty
   * @returns its path
   * @throws FlowError FLOW_ARTIFACT_FOLDER_TAKEN
   */
  async copyTo(target: string): Promise<string> {
    const folder = path.resolve(target);
    if (!(await isFree(folder)))
      throw new FlowError("FLOW_ARTIFACT_FOLDER_TAKEN", {
        message: `Cannot write the folder ${JSON.stringify(target)}: it is there, and not empty`,
        hint: "Name a folder that is not there yet",
        context: { path: folder },
      });
    await mkdir(path.dirname(folder), { recursive: true });
    const aside = path.join(path.dirname(folder), `.${path.basename(folder)}.${randomBytes(6).toString("hex")}.part`);
    await mkdir(aside, { mode: 0o700 });
    try {
      for await (const { path: name, pieces } of this.#entries()) {
        const file = path.join(aside, ...name.split("/"));
        await mkdir(path.dirname(file), { recursive: true });
        await writeWhole(file, pieces);
      }
      await rename(aside, folder);
    } catch (error) {
      await rm(aside, { recursive: true, force: true });
      throw error;
    }
    return folder;
  }

  #entries(): ReturnType<typeof folderEntries> {
    return folderEntries(this.content.pieces());
  }
}

/** What a value is that is kept as a file or folder; undefined for every other one. Of whichever copy of core. */
export function keptContent(value: unknown): Kept | undefined {
  return typeof value === "object" && value !== null ? (value as { [CONTENT]?: Kept })[CONTENT] : undefined;
}

/** A file that is there with all pieces or not at all, also when they end with an error. */
export async function writeWhole(file: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const output = await OutputFile.open(file);
  try {
    for await (const piece of pieces) await output.write(piece);
    await output.keep();
  } catch (error) {
    await output.drop();
    throw error;
  }
}

async function isFree(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return true;
    throw error;
  }
}
