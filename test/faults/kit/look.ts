/**
 * What is in a store, looked at inside this process by what the commands look with. A command for each look would take most of
 * the time of a rig, and they have tests of their own.
 */
import fs from "node:fs";
import path from "node:path";
import { isRunId, type OpenStores, openStores, type TaskRow, validate, verifyStore } from "@millrace/core/internal";
import { expect } from "vitest";
import { taskOf } from "../../scenarios/observe.ts";

/** A run as it is in a store. */
export interface Seen {
  /** Its name, as `Small/1`; undefined when there is no run. */
  readonly run: string | undefined;
  readonly id: string | undefined;
  readonly status: string | undefined;
  readonly rows: readonly TaskRow[];
  /** By task and name, for all that succeeded tasks have set. */
  readonly digests: Readonly<Record<string, string>>;
}

const NOTHING: Seen = { run: undefined, id: undefined, status: undefined, rows: [], digests: {} };

/** Opens a store, without making one, for as long as some work takes. */
export async function inStore<T>(store: string, work: (stores: OpenStores) => Promise<T>): Promise<T> {
  const stores = await openStores({ store, cwd: path.dirname(store), environment: {}, create: false });
  try {
    return await work(stores);
  } finally {
    await stores.close();
  }
}

/** Everything that a store has of its newest run, or of another one; each value is read, which checks its bytes. */
export async function look(store: string, one?: { readonly flow: string; readonly number: number }): Promise<Seen> {
  const file = path.join(store, "millrace.db");
  if (!fs.existsSync(file) || fs.statSync(file).size === 0) return NOTHING;
  return await inStore(store, async (stores) => {
    const { metadata, artifacts } = stores;
    const [run] =
      one === undefined
        ? await metadata.runs({ limit: 1 })
        : await metadata.runByNumber({ name: one.flow }, one.number);
    if (run === undefined) return NOTHING;
    expect(isRunId(run.id)).toBe(true);
    const rows = await metadata.tasks({ run: run.sequence, limit: 1_000 });
    const digests: Record<string, string> = {};
    for (const row of rows) {
      if (row.status !== "succeeded") continue;
      for (const artifact of await metadata.ownArtifacts(row.sequence)) {
        await artifacts.payload(artifact, await metadata.blob(artifact.digest));
        digests[`${taskOf(row)}.${artifact.name}`] = artifact.digest;
      }
    }
    return { run: `${run.flow.name}/${run.number}`, id: run.id, status: run.status, rows, digests };
  });
}

/** No task of a run has succeeded twice. */
export function expectOnce({ rows }: Seen): void {
  const succeeded = rows.filter(({ status }) => status === "succeeded").map(taskOf);
  expect(new Set(succeeded).size).toBe(succeeded.length);
}

/** The run and the store as a whole are what the checks of `flow validate` and `flow store verify --read-data` call whole. */
export async function expectWhole(store: string, seen: Seen): Promise<void> {
  await expectRunWhole(store, seen);
  await expectUndamaged(store);
}

/** No check of `flow validate` fails, and no task has succeeded twice. */
export async function expectRunWhole(store: string, seen: Seen): Promise<void> {
  expectOnce(seen);
  if (seen.run === undefined) return;
  const report = await inStore(store, (stores) => validate(stores, { selector: seen.run! }));
  // V00 says that the run has not succeeded, which may be so.
  const failed = report.checks.filter(
    ({ status, id }) => status === "fail" && (id !== "V00" || seen.status === "succeeded"),
  );
  expect([report.runs.length, failed]).toEqual([1, []]);
}

/** No check of `flow store verify --read-data` finds damage. */
export async function expectUndamaged(store: string): Promise<void> {
  const damage: unknown[] = [];
  const report = await verifyStore(
    { store, cwd: path.dirname(store), environment: {} },
    { readData: true, onFinding: (finding) => void (finding.kind === "damage" && damage.push(finding)) },
  );
  expect([damage, report.ok]).toEqual([[], true]);
}
