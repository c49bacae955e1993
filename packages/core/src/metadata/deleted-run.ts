/** What a store still says of a run that was deleted: enough for whoever names it to say what became of it. */
import type { RunStatus } from "../events/run-record.ts";
import type { FlowIdentity } from "../flow/definition.ts";
import type { RunId } from "../ids/run-id.ts";

export interface DeletedRun {
  readonly id: RunId;
  readonly flow: FlowIdentity;
  readonly number: number;
  /** How it had ended. */
  readonly status: RunStatus;
  readonly createdAt: Date;
  readonly deletedAt: Date;
  readonly actor: string;
  readonly host: string;
  /** How it was asked for: `flow runs delete`, `flow store gc`, `client`. */
  readonly via: string;
  readonly reason?: string;
}
