import { readFile } from "node:fs/promises";
import path from "node:path";
import type { RunRow } from "../../metadata/metadata-store.ts";
import type { PlannedStores } from "../plan-stores.ts";
import { readParamsFile } from "../read-params-file.ts";
import { RunningFlow } from "../running.ts";
import type { ResumePackageOptions, ResumeSubject } from "./resume-package.ts";
import type { ResumeRunRequest } from "./resume-run.ts";

/** The run that a command means, with the code that it would go on with: its flags are those of that flow. */
export async function findResumeSubject(
  stores: Pick<PlannedStores, "open">,
  options: ResumePackageOptions & { readonly run?: string },
): Promise<ResumeSubject> {
  const [{ findResumable }, { resumeSubject }] = await Promise.all([
    import("./find-resumable.ts"),
    import("./resume-package.ts"),
  ]);
  const opened = await stores.open();
  return resumeSubject(opened, await findResumable(opened.metadata, options.run), options);
}

/** What a command gives to resume a run: words of a command line, not yet values. */
export interface LaunchResumeRequest extends Omit<ResumeRunRequest, "fields" | "readFile"> {
  readonly flags: ResumeRunRequest["fields"]["flags"];
  /** Path of `--params FILE`. */
  readonly paramsFile?: string;
}

/** Resumes a run; awaiting the handle gives the finished run's row, whatever its status. */
export function launchResume(request: LaunchResumeRequest): RunningFlow<RunRow> {
  let row: RunRow;
  return new RunningFlow<RunRow>(
    async (emit, signals) => {
      const { resumeRun } = await import("./resume-run.ts");
      const { flags, paramsFile, ...rest } = request;
      const read = (file: string): Promise<Uint8Array> => readFile(path.resolve(request.cwd, file));
      const fromFile = paramsFile === undefined ? {} : { paramsFile: await readParamsFile(paramsFile, read) };
      row = await resumeRun({ ...rest, fields: { flags, ...fromFile }, readFile: read }, emit, signals);
    },
    () => row,
  );
}
