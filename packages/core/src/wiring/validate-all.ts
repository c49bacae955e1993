import type { StoreFinding } from "../admin/verify/finding.ts";
import { CHECKS, type CheckStatus, type ValidationCheck, type ValidationReport } from "../client/validate/report.ts";
import { type ValidateOptions, validate } from "../client/validate/validate.ts";
import type { OpenStores } from "./open-stores.ts";
import { type StoreToCheck, verifyStore } from "./store-admin.ts";

/** Findings about the store that are spelt out. */
const MAX_FINDINGS = 20;

/**
 * Every successful run of a store, and the store itself (V19): its records, and that every value is there. The values that runs
 * name are read by the checks of the runs.
 *
 * @throws as `validate` and `verifyStore`
 */
export async function validateAll(
  stores: OpenStores,
  place: StoreToCheck,
  options: Omit<ValidateOptions, "selector" | "runs" | "all">,
): Promise<ValidationReport> {
  const report = await validate(stores, { ...options, all: true });
  if (options.freshnessOnly === true) return report;
  const findings: StoreFinding[] = [];
  const { ok, totals, values } = await verifyStore(place, { onFinding: (finding) => void findings.push(finding) });
  const checks: ValidationCheck[] = [];
  const add = (status: CheckStatus, evidence: string): void =>
    void checks.push({ id: "V19", ...CHECKS.V19, status, evidence, subject: {} });
  const bad = findings.filter(({ kind }) => kind !== "note");
  for (const finding of bad.slice(0, MAX_FINDINGS)) add("fail", `${finding.id} ${finding.evidence}`);
  if (bad.length > MAX_FINDINGS) add("fail", `and ${bad.length - MAX_FINDINGS} more: type flow store verify`);
  if (ok) add("pass", `the records agree, and ${values} values are there (${totals.note} notes)`);
  const fail = report.totals.fail + checks.filter(({ status }) => status === "fail").length;
  return {
    ...report,
    ok: fail === 0,
    checks: [...report.checks, ...checks],
    totals: { ...report.totals, fail, pass: report.totals.pass + (ok ? 1 : 0) },
  };
}
