import { runName } from "../../lineage/run-name.ts";
import type { RunRow } from "../../metadata/metadata-store.ts";
import type { CheckSink } from "./report.ts";

/**
 * V11: what a run was made by can be had again. The code package is in the store whatever happens to the sources; where the
 * working tree had changes, the commit alone does not give it.
 */
export function checkCode(run: RunRow, isPackageThere: boolean, isStrict: boolean, sink: CheckSink): void {
  const name = runName(run);
  const { packageDigest, environment } = run;
  if (packageDigest === undefined) {
    sink.add("V11", "pass", `${name} has no code: it was recorded by flow put`);
    return;
  }
  const about = { digest: packageDigest };
  if (!isPackageThere) {
    sink.add("V11", "fail", `the code package ${packageDigest} of ${name} is not in the store`, about);
    return;
  }
  const { git } = environment;
  if (git === undefined) {
    sink.add("V11", "pass", `the code of ${name} is kept in its package; no commit is known`, about);
    return;
  }
  const at = `commit ${git.sha.slice(0, 12)}${git.branch === undefined ? "" : ` of ${git.branch}`}`;
  if (git.dirty)
    sink.add(
      "V11",
      isStrict ? "fail" : "warn",
      `${name} ran with changes on top of ${at}: its package keeps the code that ran, the commit does not`,
      about,
    );
  else sink.add("V11", "pass", `the code of ${name} is kept in its package, and is that of ${at}`, about);
}
