/**
 * The runs that one task asks for. Each is a call to the main thread, which runs the flow and tells how it goes; this side
 * holds the way back open for as long as somebody may wait for an answer.
 *
 * Invariant: what a call is given is encoded when it is made. Nothing that the step does to a value afterwards reaches the
 * run, and what cannot be stored is refused with its path before anything begins.
 */
import { randomUUID } from "node:crypto";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { encodeValue } from "../../artifact/value-codec.ts";
import { deserializeError } from "../../errors/flow-error.ts";
import type { RunEvent } from "../../events/run-event.ts";
import type { Flow } from "../../flow/flow.ts";
import type { FlowCall } from "../../flow/flow-call.ts";
import { flowNameOf } from "../../flow/flow-name.ts";
import type { FlowClass, RunOptions } from "../../flow/public-types.ts";
import { sourceFileOf } from "../../flow/source-file.ts";
import { type UpstreamChoice, upstreamRequests } from "../../lineage/upstream-choice.ts";
import type { TaskSequence } from "../../metadata/metadata-store.ts";
import { assertNever } from "../../util/assert-never.ts";
import type { CallMessage, CallNews, CallReply, EncodedParam, FlowRequest, WorkerMessage } from "../protocol.ts";

/** How a task reaches whoever runs flows for it. */
export interface CallLine {
  /** Sends a call; each answer comes back until the call is closed. */
  open(message: CallMessage, onReply: (reply: CallReply) => void): OpenLine;
  send(message: WorkerMessage): void;
  /** Whether classes reach the other side as they are. */
  readonly isInline?: boolean;
  /** As in `FlowCall`. */
  readonly readChild?: FlowCall["read"];
}

interface OpenLine {
  close(): void;
}

export class FlowCalls {
  readonly #line: CallLine;
  readonly #task: TaskSequence;
  readonly #open = new Set<OpenLine>();
  #count = 0;
  #isClosed = false;

  constructor(line: CallLine, task: TaskSequence) {
    this.#line = line;
    this.#task = task;
  }

  /** @throws FlowError FLOW_ARTIFACT_UNSERIALISABLE, FLOW_FLOW_NO_SOURCE */
  call(flow: FlowClass | URL | string, options: RunOptions<Flow>): FlowCall {
    const request = requestOf(flow, options, this.#line.isInline === true);
    const call = randomUUID();
    const ended = Promise.withResolvers<string>();
    const early: RunEvent[] = [];
    let onEvent = (event: RunEvent): void => void early.push(event);
    const message = { kind: "call", call, sequence: this.#task, index: this.#count++, request } as const;
    const news: CallNews[] = [];
    let line: OpenLine | undefined;
    const tell = (item: CallNews): void => {
      if (line === undefined) news.push(item);
      else if (this.#open.has(line)) this.#line.send({ kind: "call-news", call, news: item });
    };
    // Not before the step has had its turn: whoever looks at the events at once misses none.
    queueMicrotask(() => {
      if (this.#isClosed) return;
      line = this.#line.open({ ...message, news }, (reply) => {
        if (reply.kind === "event") {
          onEvent(reply.event);
          return;
        }
        this.#open.delete(line!);
        line!.close();
        if (reply.kind === "ended") ended.resolve(reply.run);
        else if (reply.kind === "refused") ended.reject(deserializeError(reply.error));
        else assertNever(reply);
      });
      this.#open.add(line);
    });
    return {
      ended: ended.promise,
      ...(this.#line.readChild === undefined ? {} : { read: this.#line.readChild }),
      onEvent(listener) {
        for (const event of early.splice(0)) listener(event);
        onEvent = listener;
      },
      await: () => tell({ kind: "awaited" }),
      watch: () => tell({ kind: "watched" }),
      abort: (reason) => tell({ kind: "abort", reason }),
      end: () => tell({ kind: "end" }),
    };
  }

  /** The task is over: nobody is left who could wait for an answer. */
  close(): void {
    this.#isClosed = true;
    for (const line of this.#open) line.close();
    this.#open.clear();
  }
}

function requestOf(flow: FlowClass | URL | string, options: RunOptions<Flow>, isInline: boolean): FlowRequest {
  const { params = {}, tags = [], tagReason, upstreams = {} } = options;
  return {
    flow: flowOf(flow, isInline),
    params: Object.fromEntries(
      Object.entries(params)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, encodedParam(name, value)]),
    ),
    tags: [...tags],
    ...(tagReason === undefined ? {} : { tagReason }),
    upstreams: upstreamRequests(upstreams as Readonly<Record<string, UpstreamChoice | undefined>>),
  };
}

function flowOf(flow: FlowClass | URL | string, isInline: boolean): FlowRequest["flow"] {
  if (typeof flow !== "function") {
    const file = flow instanceof URL || flow.startsWith("file:") ? fileURLToPath(flow) : path.resolve(flow);
    return { kind: "file", file };
  }
  if (isInline) return { kind: "class", flowClass: flow };
  return { kind: "file", file: sourceFileOf(flow), name: flowNameOf(flow) };
}

function encodedParam(name: string, value: unknown): EncodedParam {
  const { codec, digest, chunks } = encodeValue(value, { path: `params.${name}` });
  // A copy of its own: the chunks may be the value's memory, and clone whatever lies around it.
  return { codec, digest, payload: new Uint8Array(Buffer.concat(chunks)) };
}
