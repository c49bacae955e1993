/**
 * One patch of this thread's stdout and stderr for all who listen: put in place for the first listener, taken away with
 * the last. Listeners that came and went in any order leave the streams as they were.
 *
 * Test runners put a console of their own in the place of Node's, which writes to other streams: those are listened to
 * as well, for as long as that console is the global one.
 */

export type OutputStream = "stdout" | "stderr";

/** Gives what takes a piece that is written now, or leaves it to those who listen longer and to the stream itself. */
export type OutputListener = (stream: OutputStream) => ((piece: string | Uint8Array) => void) | undefined;

type Write = (chunk: string | Uint8Array, encoding?: unknown, callback?: unknown) => boolean;

interface Writer {
  write: Write;
}

interface Patched {
  readonly target: Writer;
  readonly isOwn: boolean;
  readonly original: Write;
  readonly patch: Write;
}

/** The newest first: a task inside a task writes to the inner one. */
const listeners: OutputListener[] = [];
let patched: readonly Patched[] = [];

/** Listens to what is written in this thread; the returned function ends that. */
export function listenToOutput(listener: OutputListener): () => void {
  listeners.unshift(listener);
  if (listeners.length === 1) patched = targets().map(([stream, target]) => patchOf(stream, target));
  let isListening = true;
  return () => {
    if (!isListening) return;
    isListening = false;
    listeners.splice(listeners.indexOf(listener), 1);
    if (listeners.length === 0) for (const each of patched) undo(each);
  };
}

/** The streams of the process, and those that the global console writes to when they are others. */
function targets(): readonly (readonly [OutputStream, Writer])[] {
  const streams: (readonly [OutputStream, Writer])[] = [
    ["stdout", process.stdout as unknown as Writer],
    ["stderr", process.stderr as unknown as Writer],
  ];
  const shown = globalThis.console as unknown as { readonly _stdout?: Writer; readonly _stderr?: Writer };
  for (const [stream, target] of [
    ["stdout", shown._stdout],
    ["stderr", shown._stderr],
  ] as const) {
    if (typeof target?.write === "function" && !streams.some(([, known]) => known === target))
      streams.push([stream, target]);
  }
  return streams;
}

function patchOf(stream: OutputStream, target: Writer): Patched {
  const isOwn = Object.hasOwn(target, "write");
  const { write: original } = target;
  const patch: Write = (chunk, encoding, callback) => {
    const take = takerOf(stream);
    if (take === undefined) return original.call(target, chunk, encoding, callback);
    const isEncoded = typeof chunk === "string" && typeof encoding === "string" && !/^utf-?8$/i.test(encoding);
    take(isEncoded ? Buffer.from(chunk, encoding as BufferEncoding) : chunk);
    const done = typeof encoding === "function" ? encoding : callback;
    if (typeof done === "function") queueMicrotask(done as () => void);
    return true;
  };
  target.write = patch;
  return { target, isOwn, original, patch };
}

function takerOf(stream: OutputStream): ((piece: string | Uint8Array) => void) | undefined {
  for (const listener of listeners) {
    const take = listener(stream);
    if (take !== undefined) return take;
  }
  return undefined;
}

/** Somebody may have patched the stream after us: then our patch stays below theirs, and lets everything through. */
function undo({ target, isOwn, original, patch }: Patched): void {
  if (target.write !== patch) return;
  if (isOwn) target.write = original;
  else delete (target as Partial<Writer>).write;
}
