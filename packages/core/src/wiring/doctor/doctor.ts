/**
 * What is wrong here, and what to do: a look at the installation, the project, the store, its runs, processes and caches.
 *
 * Invariants: nothing is changed and no user code is run; every check stands alone, so that what is broken for one is a
 * finding and not the end of the others; each is bounded, so that a huge store is looked at as fast as a small one. Not
 * here: whether every value is whole (that reads everything), and mending.
 */
import { type Environment, resolveConfig } from "../../config/config.ts";
import { isFlowError } from "../../errors/flow-error.ts";
import { bucketChecks } from "./check-bucket.ts";
import { cacheChecks } from "./check-caches.ts";
import { installationChecks } from "./check-installation.ts";
import { processChecks } from "./check-processes.ts";
import { projectChecks } from "./check-project.ts";
import { recordChecks } from "./check-records.ts";
import { storeChecks } from "./check-store.ts";
import type { Check, DoctorFinding, DoctorReport } from "./report.ts";

export interface DoctorRequest {
  /** The `--store` option. */
  readonly store?: string;
  readonly cwd: string;
  readonly environment: Environment;
  /** The version of the command that asks, to be compared with that of core. */
  readonly commandVersion?: string;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

/**
 * Examines everything that is needed to run flows here. Never throws for what it finds.
 *
 * @example
 * const { ok, findings } = await examine({ cwd: process.cwd(), environment: process.env });
 */
export async function examine(request: DoctorRequest): Promise<DoctorReport> {
  const now = request.now ?? Date.now;
  const checks: readonly Check[] = [
    ...installationChecks(request),
    ...projectChecks(request),
    ...checksOfStore(request, now),
    ...processChecks(),
    ...cacheChecks(request.cwd),
  ];
  const findings: DoctorFinding[] = [];
  for (const check of checks) findings.push(...(await findingsOf(check)));
  const totals = { ok: 0, warn: 0, fail: 0 };
  for (const { status } of findings) totals[status]++;
  return { ok: totals.fail === 0, totals, findings };
}

/** What names no store is a finding, as a store that is not well. */
function checksOfStore(request: DoctorRequest, now: () => number): readonly Check[] {
  try {
    const { store } = resolveConfig(request);
    return [...storeChecks(store, request), ...bucketChecks(store), ...recordChecks(store, now)];
  } catch (error) {
    return [{ area: "store", check: "place", run: () => Promise.reject(error) }];
  }
}

/** One after the other: a machine in trouble is not to be asked for everything at once. */
async function findingsOf({ area, check, run }: Check): Promise<readonly DoctorFinding[]> {
  try {
    return (await run()).map((found) => ({ area, ...found }));
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    const next =
      isFlowError(error) && error.hint !== undefined
        ? error.hint
        : "See what the message names, then type flow doctor again";
    const code = isFlowError(error) ? error.code : (error as NodeJS.ErrnoException | undefined)?.code;
    return [{ area, check, status: "fail", found, next, ...(code === undefined ? {} : { facts: { code } }) }];
  }
}
