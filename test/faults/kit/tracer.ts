/**
 * System calls seen and hurt by strace. It counts the calls of each thread by itself, so each thread is looked at alone:
 * the main thread of the command from its start, with only the files of the store counted; a worker thread from when it
 * runs its first task.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Ended, Victim } from "./victim.ts";

/** Calls that change what is on the disk, or make it durable; those with a mark are not there on every machine. */
const CALLS =
  "?open,openat,?mkdir,mkdirat,?unlink,unlinkat,?link,linkat,?rename,renameat,renameat2,write,writev,pwrite64,pwritev,fsync,fdatasync,ftruncate";

export type Thread = "main" | "worker";

/** The K-th call of one kind in one thread. */
export interface Place {
  readonly thread: Thread;
  readonly call: string;
  readonly index: number;
}

export interface Call {
  readonly name: string;
  /** Its number, where several threads were traced. */
  readonly thread: string;
  /** As strace writes them: descriptors with their paths. */
  readonly args: string;
  readonly result: string;
  readonly isInjected: boolean;
  /** Lines of the log. */
  readonly begunAt: number;
  readonly endedAt: number;
  /** Of the descriptor that it is called on. */
  readonly file: string | undefined;
  /** That it names, made absolute. */
  readonly paths: readonly string[];
  /** That it writes, as far as the log has them. */
  readonly bytes: Buffer;
}

/** What is to happen at a place: `signal=KILL`, `error=EIO`; from then on at each further call when it is persistent. */
export interface Fault {
  readonly what: string;
  readonly isPersistent?: boolean;
}

/** Where the main thread of a command is looked at. */
export interface Traced {
  readonly words: readonly string[];
  /** The files of the store that count, besides those that every command uses. */
  readonly files?: readonly string[];
}

const SMALL_RUN: Traced = { words: ["run", "small.ts", "--max-workers", "1"] };

/** Runs a command with one thread traced, and hurt at a place when there is one. By default it runs the small flow. */
export async function runTraced(
  victim: Victim,
  store: string,
  thread: Thread,
  hurt?: { readonly place: Place; readonly fault: Fault },
  { words, files = [] }: Traced = SMALL_RUN,
): Promise<{ readonly ended: Ended; readonly calls: readonly Call[] }> {
  const log = path.join(path.dirname(store), "calls");
  fs.mkdirSync(path.dirname(store), { recursive: true });
  const inject =
    hurt === undefined
      ? []
      : [
          "-e",
          `inject=${hurt.place.call}:${hurt.fault.what}:when=${hurt.place.index}${hurt.fault.isPersistent ? "+" : ""}`,
        ];
  const strace = ["strace", "-y", "-s", "4", "-o", log, "-e", `trace=${CALLS}`, ...inject];
  if (thread === "main") {
    const paths = ["", "millrace.db", "millrace.db-wal", "millrace.db-shm", "millrace.db-journal"]
      .concat(".gitignore", "blobs", "tmp", files)
      .flatMap((name) => ["-P", path.join(store, name)]);
    const ended = await victim.ended(victim.start(store, words, { under: [...strace, ...paths] }));
    return { ended, calls: readCalls(log) };
  }
  const ended = await heldUntil(victim, store, words, (tid) => attach([...strace, "-p", tid]));
  return { ended, calls: readCalls(log) };
}

/** Starts a run whose first task waits until something was done, perhaps with its thread. */
export async function heldUntil(
  victim: Victim,
  store: string,
  words: readonly string[],
  work: (tid: string) => Promise<void>,
  env: Record<string, string> = {},
): Promise<Ended> {
  const hold = victim.project.file("hold");
  const thread = victim.project.file("thread");
  fs.rmSync(thread, { force: true });
  fs.writeFileSync(hold, "");
  const run = victim.start(store, words, { env });
  try {
    while (!/task\/\d+$/.test(fs.existsSync(thread) ? fs.readFileSync(thread, "utf8") : "")) {
      if (run.isOver) throw new Error(`the run ended before its first task: ${(await run.ended).stdout}`);
      await wait(5);
    }
    await work(/\d+$/.exec(fs.readFileSync(thread, "utf8"))![0]);
  } finally {
    fs.rmSync(hold);
  }
  return await victim.ended(run);
}

async function attach([program, ...parameters]: readonly string[]): Promise<void> {
  const tracer = spawn(program!, parameters, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  const ended = once(tracer, "exit");
  while (!said.includes("attached")) {
    const [text] = await Promise.race([once(tracer.stderr!, "data"), ended]);
    if (tracer.exitCode !== null) throw new Error(`strace could not attach: ${said}`);
    said += text;
  }
  tracer.stderr!.resume();
}

/** Runs the command with all threads traced and all that is written kept. */
export async function runRecorded(
  victim: Victim,
  store: string,
  words: readonly string[],
): Promise<{ readonly ended: Ended; readonly calls: readonly Call[] }> {
  const log = path.join(path.dirname(path.dirname(store)), `${path.basename(path.dirname(store))}.calls`);
  const under = ["strace", "-f", "--seccomp-bpf", "-y", "-s", "5000", "-o", log, "-e", `trace=${CALLS}`];
  const ended = await victim.ended(victim.start(store, words, { under }));
  return { ended, calls: readCalls(log) };
}

/** The calls of a log of strace, in the order of their beginning; those of several threads are put together again. */
export function readCalls(log: string): readonly Call[] {
  const calls: Call[] = [];
  const unfinished = new Map<string, { readonly at: number; readonly begin: string }>();
  for (const [at, line] of fs.readFileSync(log, "latin1").split("\n").entries()) {
    const [, thread = "", rest = ""] = /^(?:(\d+) +)?(.*)$/.exec(line)!;
    const begun = /^(.*) <unfinished \.\.\.>$/.exec(rest);
    if (begun !== null) {
      unfinished.set(thread, { at, begin: begun[1]! });
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const before = resumed === null ? undefined : unfinished.get(thread);
    unfinished.delete(thread);
    const match = /^(\w+)\((.*)\)\s+= (.*)$/.exec(before === undefined ? rest : before.begin + resumed![1]!);
    if (match === null) continue;
    const [, name, args, result] = match as unknown as [string, string, string, string];
    const isInjected = / \(INJECTED\)$/.test(result);
    calls.push({
      name,
      thread,
      args,
      result,
      isInjected,
      begunAt: before?.at ?? at,
      endedAt: at,
      ...partsOf(name, args),
    });
  }
  return calls.toSorted((left, right) => left.begunAt - right.begunAt);
}

function partsOf(name: string, args: string): Pick<Call, "file" | "paths" | "bytes"> {
  const file = /^\d+<([^>]*)>/.exec(args)?.[1];
  const isWrite = /^p?write/.test(name);
  const strings = [...args.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text]) => unescaped(text!));
  const folder = /^AT_FDCWD<([^>]*)>/.exec(args)?.[1] ?? "/";
  return {
    file,
    paths: isWrite ? [] : strings.map((each) => path.resolve(folder, each.toString())),
    bytes: isWrite ? Buffer.concat(strings) : Buffer.alloc(0),
  };
}

const ESCAPES: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, v: 11, f: 12 };

/** The bytes that strace wrote as a string of C. */
function unescaped(text: string): Buffer {
  const bytes: number[] = [];
  for (const [, octal, other, plain] of text.matchAll(/\\([0-7]{1,3})|\\(.)|([^\\])/gs)) {
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else if (other !== undefined) bytes.push(ESCAPES[other] ?? other.charCodeAt(0));
    else bytes.push(plain!.charCodeAt(0));
  }
  return Buffer.from(bytes);
}

export function touches(call: Call, store: string): boolean {
  return call.args.includes(store);
}

/** The places of a traced run at which its store is touched. */
export function placesOf(thread: Thread, calls: readonly Call[], store: string): readonly Place[] {
  const counts = new Map<string, number>();
  return calls.flatMap((call) => {
    const index = (counts.get(call.name) ?? 0) + 1;
    counts.set(call.name, index);
    return touches(call, store) ? [{ thread, call: call.name, index }] : [];
  });
}
