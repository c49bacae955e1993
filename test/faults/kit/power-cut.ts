/**
 * What a power cut could take away at each instant of a traced run, by the strictest reading: bytes that were written
 * are there for certain only after an fsync of their file, and a name only after an fsync of its folder; but each of them
 * may be there from the moment it was made. So a row may be on the disk as soon as it was written to the log, and all
 * that it names must be there before.
 */
import path from "node:path";
import type { Call } from "./tracer.ts";

/** A rule that was broken, in words. */
export type Broken = string;

const LOG = "millrace.db-wal";
const DATABASE = "millrace.db";
/** Made anew by SQLite from the log; and a convenience that no promise rests on. */
const MAY_BE_LOST = new Set(["millrace.db-shm", ".gitignore"]);

/** What is known of the bytes of one file, whatever its names are. */
interface Content {
  /** Positions in the trace at which it was written to since the last fsync, with the thread that did. */
  unsynced: { readonly at: number; readonly thread: string }[];
}

/**
 * Reads a trace and says where a promise would not have survived a power cut.
 *
 * @param calls of all threads, with whole strings
 * @param store the folder, which was not there when the trace began, or was durable
 * @param digests of values that came to lie in files meanwhile, in hex
 * @param output a file in the folder that the command makes: whole and there for good before anything is told
 */
export function auditPowerCut(
  calls: readonly Call[],
  store: string,
  digests: readonly string[],
  output?: string,
): readonly Broken[] {
  const audit = new Audit(store, digests, output);
  // An fsync covers what was written before it began, and is done when it ends.
  const moments = calls
    .flatMap((call) => [
      { at: call.begunAt, run: () => audit.begins(call) },
      { at: call.endedAt, run: () => audit.ends(call) },
    ])
    .toSorted((left, right) => left.at - right.at);
  for (const { run } of moments) run();
  audit.atEnd();
  return [...audit.broken];
}

class Audit {
  readonly broken = new Set<Broken>();
  readonly #store: string;
  readonly #digests: readonly { readonly hex: string; readonly bytes: Buffer }[];
  readonly #contents = new Map<string, Content>();
  /** Names that were made and may be lost, by folder. */
  readonly #names = new Map<string, Map<string, number>>();

  readonly #output: string | undefined;

  constructor(store: string, digests: readonly string[], output: string | undefined) {
    this.#store = store;
    this.#output = output;
    this.#digests = digests.map((hex) => ({ hex, bytes: Buffer.from(hex, "hex") }));
  }

  begins(call: Call): void {
    if (!isDone(call)) return;
    const file = call.file;
    if (call.args.startsWith("1<")) this.#expectSaidIsDurable(call);
    if (file === undefined || !/^p?write/.test(call.name) || !this.#isMine(file)) return;
    const name = path.relative(this.#store, file);
    if (name === LOG) this.#expectNamedIsDurable(call);
    if (name.startsWith("blobs/")) this.broken.add(`a value was written to under its own name: ${name}`);
    if (name === DATABASE && this.#content(path.join(this.#store, LOG)).unsynced.length > 0)
      this.broken.add("a page went into the database before the log was synced");
    this.#content(file).unsynced.push({ at: call.begunAt, thread: call.thread });
  }

  ends(call: Call): void {
    if (!isDone(call)) return;
    const { name, file, paths } = call;
    if (name === "fsync" || name === "fdatasync") {
      if (file !== undefined) this.#sync(file, call.begunAt);
    } else if (name.startsWith("open") && call.args.includes("O_CREAT")) this.#made(paths[0]!, call.endedAt);
    else if (name.startsWith("mkdir")) this.#made(paths[0]!, call.endedAt);
    else if (name.startsWith("link") || name.startsWith("rename")) {
      this.#named(paths[0]!, paths[1]!, call.endedAt);
      if (name.startsWith("rename")) this.#removed(paths[0]!);
    } else if (name.startsWith("unlink")) this.#removed(paths[0]!);
  }

  /** Whoever was told that all went well has it: nothing that counts hangs in the air. */
  atEnd(): void {
    for (const [file, { unsynced }] of this.#contents) {
      const name = path.relative(this.#store, file);
      if (unsynced.length > 0 && !MAY_BE_LOST.has(name)) this.broken.add(`never synced: ${nameless(name)}`);
    }
    for (const [folder, names] of this.#names) {
      for (const name of names.keys())
        if (!MAY_BE_LOST.has(name)) this.broken.add(`its name was never synced: ${path.join(folder, name)}`);
    }
  }

  /**
   * What the command writes to its output may tell of anything that it has committed. That is what its own thread has:
   * another one may be writing a heartbeat meanwhile.
   */
  #expectSaidIsDurable({ thread }: Call): void {
    if (this.#content(path.join(this.#store, LOG)).unsynced.some((written) => written.thread === thread))
      this.broken.add("it was told before the log was synced");
    if (this.#output === undefined) return;
    if (this.#contents.has(this.#output)) this.#expectDurable(this.#output, "it was told");
    else this.broken.add("it was told before the output had its name");
  }

  /** All values that the bytes name, and the database itself, must be safe before the bytes are written. */
  #expectNamedIsDurable(call: Call): void {
    if (call.bytes.length < 512) return; // The head of the log or of a page.
    for (const name of [LOG, DATABASE]) this.#expectDurable(path.join(this.#store, name), "a row was written");
    for (const { hex, bytes } of this.#digests) {
      if (!call.bytes.includes(bytes)) continue;
      const files = [...this.#contents.keys()].filter((file) => path.basename(file).startsWith(hex));
      if (files.length === 0) this.broken.add(`a row names a value that is not there: ${hex}`);
      for (const file of files) this.#expectDurable(file, "a row names it");
    }
  }

  #expectDurable(file: string, when: string): void {
    // The bytes of records are synced by the commit.
    const isRecord = path.dirname(file) === this.#store && file !== this.#output;
    if (!isRecord && this.#content(file).unsynced.length > 0) this.broken.add(`not synced before ${when}: ${file}`);
    for (let at = file; at !== path.dirname(at); at = path.dirname(at)) {
      if (this.#names.get(path.dirname(at))?.has(path.basename(at)) === true)
        this.broken.add(`its name was not synced before ${when}: ${at}`);
    }
  }

  #sync(file: string, begunAt: number): void {
    const content = this.#contents.get(file);
    if (content !== undefined) content.unsynced = content.unsynced.filter(({ at }) => at > begunAt);
    const names = this.#names.get(file);
    for (const [name, at] of names ?? []) if (at < begunAt) names!.delete(name);
  }

  #made(file: string, at: number): void {
    if (!this.#isMine(file) || this.#contents.has(file)) return;
    this.#contents.set(file, { unsynced: [] });
    this.#enter(file, at);
  }

  #named(from: string, to: string, at: number): void {
    if (!this.#isMine(to)) return;
    const content = this.#content(from);
    if (content.unsynced.length > 0) this.broken.add(`it was named before it was synced: ${to}`);
    this.#contents.set(to, content);
    this.#enter(to, at);
  }

  #removed(file: string): void {
    const names = this.#names.get(path.dirname(file));
    names?.delete(path.basename(file));
    this.#contents.delete(file);
  }

  #enter(file: string, at: number): void {
    if (path.relative(this.#store, file).startsWith("tmp/")) return; // Nothing in there is ever read.
    const folder = path.dirname(file);
    const names = this.#names.get(folder) ?? new Map<string, number>();
    this.#names.set(folder, names.set(path.basename(file), at));
  }

  #content(file: string): Content {
    const found = this.#contents.get(file) ?? { unsynced: [] };
    this.#contents.set(file, found);
    return found;
  }

  /** Within the store, or a folder above it, which may be made with it. */
  #isMine(file: string): boolean {
    return file.startsWith(`${this.#store}/`) || this.#store === file || this.#store.startsWith(`${file}/`);
  }
}

function isDone({ result }: Call): boolean {
  return /^\d/.test(result);
}

/** `tmp/TMP-…` is another one each time. */
function nameless(name: string): string {
  return name.replace(/TMP-.*/, "TMP");
}
