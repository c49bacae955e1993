/** What a run that has not succeeded becomes for the code that ran it. */
import { expect, test } from "vitest";
import { FlowError, serializeError } from "../errors/flow-error.ts";
import { step } from "../flow/decorators.ts";
import { Flow } from "../flow/flow.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import { createGivenRun } from "../testing/given-run.ts";
import { seededRunId } from "../testing/seeded-run-id.ts";
import { failRun } from "./fail-run.ts";
import { openMemoryStores } from "./open-memory-stores.ts";
import { refuseUnfinished } from "./refuse-unfinished.ts";

class Many extends Flow {
  @step() start() {}
}

/** A run that has ended in no task, as it is recorded. */
async function failedBy(error: unknown): Promise<RunRow> {
  const stores = openMemoryStores();
  const { row } = await createGivenRun(stores, Many, { id: seededRunId(1), createdAt: new Date(0) });
  return (await failRun(stores.metadata, { run: row.sequence, execution: 1 }, error))!;
}

function refusal(row: RunRow): FlowError {
  try {
    refuseUnfinished(row, new AbortController().signal);
  } catch (error) {
    return error as FlowError;
  }
  throw new Error("it was not refused");
}

const message = 'Cannot put "key" in s3://bucket';

test("a run whose values the store did not take is refused with the code of the store, its hint and whether it may pass", async () => {
  const cause = new Error("503");
  const context = { key: "key", isTransient: true };
  const row = await failedBy(new FlowError("FLOW_STORAGE_UNAVAILABLE", { message, hint: "Look", context, cause }));
  const error = refusal(row);
  expect(error).toMatchObject({
    code: "FLOW_STORAGE_UNAVAILABLE",
    message: `Many/1 failed: ${message}`,
    hint: "Look",
    context: { key: "key", isTransient: true, run: "Many/1", runId: row.id },
    cause: { message: "503" },
  });
  // The run of the step that waited for it names the task, and the run around that one says what was wrong there.
  const parent = {
    ...row,
    flow: { ...row.flow, name: "Parent" },
    failure: { task: "Parent/1/start/1", error: serializeError(error) },
  };
  expect(refusal(parent)).toMatchObject({
    code: "FLOW_RUN_FAILED",
    message: `Parent/1 failed: Parent/1/start/1: Many/1 failed: ${message}`,
    hint: "Look at it with flow logs Parent/1/start/1",
    cause: { code: "FLOW_STORAGE_UNAVAILABLE", hint: "Look", context: { isTransient: true } },
  });
});

test("a run that failed in no task is looked at as a whole where its error does not say what to do", async () => {
  const hint = "Look at it with flow show Many/1";
  expect(refusal(await failedBy(new FlowError("FLOW_STORAGE_DENIED", { message })))).toMatchObject({ hint });
  const other = refusal(await failedBy(new Error("the disk is gone")));
  expect(other).toMatchObject({ code: "FLOW_RUN_FAILED", message: "Many/1 failed: the disk is gone", hint });
});
