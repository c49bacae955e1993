/**
 * The few system calls that the blob folder is made of, behind one small interface, and two ways to run them.
 *
 * An algorithm (write a value once, read one, list keys) is a generator that yields calls. `runSync` answers them at
 * once (inside tasks, whose getters cannot wait), `runAsync` through the thread pool (on the main thread, which must not
 * stand still while 1 GB reaches the disk). So each algorithm exists once. Tests pass calls that fail, stop or kill.
 */
import fs from "node:fs";

/** The calls in their synchronous form; each throws what node:fs throws. */
export interface FileCalls {
  open(path: string, flags: number, mode: number): number;
  /** Answers the number of bytes written, which may be fewer than given. */
  writev(fd: number, chunks: readonly Uint8Array[]): number;
  read(fd: number, target: Uint8Array, offset: number, length: number, position: number): number;
  fsync(fd: number): void;
  /** Has the system begin to write a file to its disk, where that can go on beside this thread. Promises nothing. */
  writeBack(path: string): void;
  fchmod(fd: number, mode: number): void;
  close(fd: number): void;
  fstat(fd: number): FileFacts;
  lstat(path: string): FileFacts;
  link(from: string, to: string): void;
  rename(from: string, to: string): void;
  unlink(path: string): void;
  mkdir(path: string, mode: number): void;
  chmod(path: string, mode: number): void;
  readdir(path: string): readonly FolderEntry[];
  /** Sets the times of a file (of a link itself, where the name is one); seconds since 1970. */
  lutimes(path: string, accessed: number, changed: number): void;
}

export interface FileFacts {
  readonly size: number;
  readonly mtimeMs: number;
  isFile(): boolean;
  isDirectory(): boolean;
}

export interface FolderEntry {
  readonly name: string;
  isFile(): boolean;
  isDirectory(): boolean;
}

export type AsyncFileCalls = {
  readonly [K in keyof FileCalls]: (...args: Parameters<FileCalls[K]>) => Promise<ReturnType<FileCalls[K]>>;
};

/** What a store runs on: the same calls in both forms. */
export interface FileSystem {
  readonly sync: FileCalls;
  readonly async: AsyncFileCalls;
}

interface FileCall {
  readonly name: keyof FileCalls;
  readonly args: readonly unknown[];
}

/** An algorithm over file calls. */
export type FileSteps<T> = Generator<FileCall, T, unknown>;

/** One call inside an algorithm: `const fd = yield* call("open", path, flags, mode)`. */
export function* call<K extends keyof FileCalls>(
  name: K,
  ...args: Parameters<FileCalls[K]>
): FileSteps<ReturnType<FileCalls[K]>> {
  return (yield { name, args }) as ReturnType<FileCalls[K]>;
}

export function runSync<T>(steps: FileSteps<T>, calls: FileCalls): T {
  let step = steps.next();
  while (step.done !== true) {
    let answer: unknown;
    try {
      answer = (calls[step.value.name] as (...args: readonly unknown[]) => unknown)(...step.value.args);
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(answer);
  }
  return step.value;
}

export async function runAsync<T>(steps: FileSteps<T>, calls: AsyncFileCalls): Promise<T> {
  let step = steps.next();
  while (step.done !== true) {
    let answer: unknown;
    try {
      answer = await (calls[step.value.name] as (...args: readonly unknown[]) => Promise<unknown>)(...step.value.args);
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(answer);
  }
  return step.value;
}

/** The real file system. */
export const nodeFileSystem: FileSystem = {
  sync: {
    open: fs.openSync,
    writev: (fd, chunks) => fs.writevSync(fd, chunks),
    read: fs.readSync,
    fsync: fs.fsyncSync,
    writeBack,
    fchmod: fs.fchmodSync,
    close: fs.closeSync,
    fstat: (fd) => fs.fstatSync(fd),
    lstat: (path) => fs.lstatSync(path),
    link: fs.linkSync,
    rename: fs.renameSync,
    unlink: fs.unlinkSync,
    mkdir: (path, mode) => void fs.mkdirSync(path, { mode }),
    chmod: fs.chmodSync,
    readdir: (path) => fs.readdirSync(path, { withFileTypes: true }),
    lutimes: fs.lutimesSync,
  },
  async: {
    open: (path, flags, mode) => promised((done) => fs.open(path, flags, mode, done)),
    writev: (fd, chunks) => promised((done) => fs.writev(fd, chunks, done)),
    read: (fd, target, offset, length, position) =>
      promised((done) => fs.read(fd, target, offset, length, position, done)),
    fsync: (fd) => promised((done) => fs.fsync(fd, done)),
    writeBack: async () => {}, // Nobody waits for an asynchronous fsync.
    fchmod: (fd, mode) => promised((done) => fs.fchmod(fd, mode, done)),
    close: (fd) => promised((done) => fs.close(fd, done)),
    fstat: (fd) => promised((done) => fs.fstat(fd, done)),
    lstat: (path) => promised((done) => fs.lstat(path, done)),
    link: (from, to) => promised((done) => fs.link(from, to, done)),
    rename: (from, to) => promised((done) => fs.rename(from, to, done)),
    unlink: (path) => promised((done) => fs.unlink(path, done)),
    mkdir: (path, mode) => promised((done) => fs.mkdir(path, { mode }, done)),
    chmod: (path, mode) => promised((done) => fs.chmod(path, mode, done)),
    readdir: (path) => promised((done) => fs.readdir(path, { withFileTypes: true }, done)),
    lutimes: (path, accessed, changed) => promised((done) => fs.lutimes(path, accessed, changed, done)),
  },
};

/**
 * Opens the file anew: a failure of the disk is told once to each opening of a file, and must be told to the fsync that counts.
 */
function writeBack(path: string): void {
  fs.open(path, fs.constants.O_RDONLY, (error, fd) => {
    if (error === null) fs.fdatasync(fd, () => fs.close(fd, () => {}));
  });
}

function promised<T>(start: (done: (error: NodeJS.ErrnoException | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error === null || error === undefined ? resolve(value as T) : reject(error)));
  });
}
