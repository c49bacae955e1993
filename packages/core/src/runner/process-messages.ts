/** What travels between the main thread and a worker process over its channel; output goes through the pipes. */
import type { SerializedError } from "../errors/flow-error.ts";
import type { CallId, CallMessage, CallReply, WorkerMessage } from "./protocol.ts";
import type { WireBatch, WireReport } from "./wire.ts";

export type ToProcess =
  | {
      readonly kind: "start";
      readonly data: Readonly<Record<string, unknown>>;
      /** The process that started this one; when that is gone, this one ends too. */
      readonly parent: number;
      /** Letters that marks in the output begin with. */
      readonly nonce: string;
    }
  | { readonly kind: "batch"; readonly number: number; readonly batch: WireBatch }
  | { readonly kind: "abort"; readonly reason: string }
  | { readonly kind: "reply"; readonly call: CallId; readonly reply: CallReply }
  | { readonly kind: "cancel" };

export type FromProcess =
  | { readonly kind: "report"; readonly number: number; readonly report: WireReport }
  | { readonly kind: "message"; readonly message: WorkerMessage | CallMessage }
  /** Nobody catches this error: it is about to end the process. */
  | { readonly kind: "dying"; readonly error: SerializedError };
