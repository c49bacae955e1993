/**
 * The store that code inside a step means when it names none: the one that its run is written to. Kept on `globalThis`
 * under a `Symbol.for` key, so that another copy of this package in the same worker finds it too.
 */
const STORE_FOLDER = Symbol.for("millrace.storeFolder");
const holder = globalThis as { [STORE_FOLDER]?: string };

/** Makes one folder the store of this thread. */
export function setThreadStore(folder: string): void {
  holder[STORE_FOLDER] = folder;
}

/** The store of this thread, if one was set. */
export function threadStore(): string | undefined {
  return holder[STORE_FOLDER];
}
