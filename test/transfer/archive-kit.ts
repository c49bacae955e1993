/** Files of exported runs, good ones and such as somebody would make to do harm. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { canonicalJson } from "../../packages/core/src/metadata/canonical-json.ts";
import { openSqliteTrial } from "../../packages/core/src/metadata/sqlite/sqlite-trial.ts";
import { ArchiveFile } from "../../packages/core/src/transfer/archive-file.ts";
import { checkArchive } from "../../packages/core/src/transfer/check-archive.ts";
import { tarHeader, tarPadding } from "../../packages/core/src/util/tar.ts";
import { entryHead, TAIL_BYTES } from "../../packages/core/src/util/tar-entries.ts";

export const RUN = "01970000-0000-7000-8000-000000000001";
export const STORE = "0190f000-0000-4000-8000-000000000001";
const AT = "2026-05-04T12:00:00.123Z";

export const sha256 = (bytes: string | Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
export const lines = (...values: readonly unknown[]): Buffer =>
  Buffer.from(values.map((value) => `${canonicalJson(value)}\n`).join(""));

/** What a file is made of; a test changes a part of it and has the digests made anew. */
export interface Parts {
  records: unknown[];
  tags: unknown[];
  blobs: Record<string, Uint8Array>;
  /** Further lines of the manifest, behind its first. */
  manifest: unknown[];
  /** Further entries behind the records. */
  entries: (readonly [name: string, content: Uint8Array])[];
}

export function goodParts(): Parts {
  const text = Buffer.from("a model");
  return {
    records: [
      {
        kind: "run",
        id: RUN,
        flow: { project: "shop", name: "Train" },
        status: "succeeded",
        createdAt: AT,
        startedAt: AT,
        finishedAt: AT,
        endTask: 0,
        tasks: 1,
        executions: 1,
        systemTags: [],
        parameters: { k: 3 },
        secretParameters: [],
        environment: {
          millrace: "0.1.0",
          node: "24.0.0",
          os: "linux",
          arch: "x64",
          host: "mill",
          actor: "ann",
          cwd: "/w",
          command: [],
        },
      },
      {
        kind: "execution",
        number: 1,
        runner: { host: "mill", pid: 7 },
        actor: "ann",
        command: [],
        options: {},
        startedAt: AT,
        heartbeatAt: AT,
        endedAt: AT,
        status: "succeeded",
      },
      {
        kind: "task",
        task: 0,
        step: "start",
        path: "",
        attempt: 1,
        status: "succeeded",
        startedAt: AT,
        finishedAt: AT,
      },
      { kind: "artifact", task: 0, name: "model", codec: "text", digest: sha256(text), sizeBytes: text.length },
      { kind: "log", task: 0, attempt: 1, stream: "stdout", at: AT, text: "hello\n" },
    ],
    tags: [{ kind: "held", tags: [] }],
    blobs: { [sha256(text)]: text },
    manifest: [{ kind: "run", id: RUN, status: "succeeded", store: STORE, run: "shop/Train/17", asked: true }],
    entries: [],
  };
}

export type Entry = readonly [name: string, content: Uint8Array];

/** The entries of a file with the manifest in front. */
export function entriesOf(parts: Parts): readonly Entry[] {
  const entries: Entry[] = [
    [`runs/${RUN}/records.jsonl`, lines(...parts.records)],
    [`runs/${RUN}/tags.jsonl`, lines(...parts.tags)],
    ...parts.entries,
  ];
  const blobs = Object.entries(parts.blobs).sort(([left], [right]) => (left < right ? -1 : 1));
  const body = lines(
    { kind: "export", version: 1 },
    ...parts.manifest,
    ...entries.map(([name, content]) => ({ kind: "entry", name, sizeBytes: content.length, digest: sha256(content) })),
    ...blobs.map(([digest, content]) => ({ kind: "blob", digest, sizeBytes: content.length })),
  );
  const manifest = Buffer.concat([body, lines({ kind: "end", digest: sha256(body) })]);
  return [
    ["manifest.jsonl", manifest],
    ...entries,
    ...blobs.map(([digest, content]): Entry => [`blobs/sha256/${digest.slice(0, 2)}/${digest}`, content]),
  ];
}

export function tarOf(
  entries: readonly Entry[],
  head: (entry: Entry) => Uint8Array = ([name, content]) => entryHead(name, content.length),
): Buffer {
  return Buffer.concat([
    ...entries.flatMap((entry) => [head(entry), entry[1], Buffer.alloc(tarPadding(entry[1].length))]),
    Buffer.alloc(TAIL_BYTES),
  ]);
}

export const fileOf = (parts: Parts): Buffer => tarOf(entriesOf(parts));

/** A head of any kind: of a link, a device, with a mode of its own. */
export function otherHead(name: string, size: number, change: (block: Buffer) => void): Uint8Array {
  const block = Buffer.from(tarHeader(name.slice(0, 100), size));
  change(block);
  const sum = block.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte), 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

export class Files {
  readonly #trial = openSqliteTrial();
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-transfer-"));

  write(bytes: Uint8Array, name = "a.tar"): string {
    const file = path.join(this.folder, name);
    fs.writeFileSync(file, bytes);
    return file;
  }

  /** Why a file is refused; undefined when it is not. */
  async refusal(bytes: Uint8Array): Promise<string | undefined> {
    const file = new ArchiveFile(fs.openSync(this.write(bytes), "r"), "a.tar");
    try {
      await checkArchive(file, { trial: this.#trial });
      return undefined;
    } catch (error) {
      const { code, message } = error as { readonly code?: string; readonly message: string };
      return `${code}: ${message}`;
    } finally {
      file.close();
    }
  }

  remove(): void {
    this.#trial.close();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}
