import { randomBytes } from "node:crypto";
import { constants, type promises } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import path from "node:path";

/**
 * A file that is there as a whole or not at all: written aside in the same folder, made durable, and only then given its name.
 * Private, like the store that it comes from.
 */
export class OutputFile {
  readonly #file: string;
  readonly #aside: string;
  readonly #handle: promises.FileHandle;

  private constructor(file: string, aside: string, handle: promises.FileHandle) {
    this.#file = file;
    this.#aside = aside;
    this.#handle = handle;
  }

  static async open(file: string): Promise<OutputFile> {
    const aside = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString("hex")}.part`);
    return new OutputFile(file, aside, await open(aside, "wx", 0o600));
  }

  async write(piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length; ) {
      const { bytesWritten } = await this.#handle.write(piece, at);
      at += bytesWritten;
    }
  }

  /** Gives the file its name, in place of an older one. */
  async keep(): Promise<void> {
    await this.#handle.sync();
    await this.#handle.close();
    await rename(this.#aside, this.#file);
    if (process.platform === "win32") return; // Folders cannot be opened there.
    const folder = await open(path.dirname(this.#file), constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async drop(): Promise<void> {
    await this.#handle.close().catch(() => {}); // It may be closed already: what counts is that the name is not taken.
    await unlink(this.#aside).catch(() => {});
  }
}
