import { readFile } from "node:fs/promises";
import path from "node:path";
import type { RunRow } from "../metadata/metadata-store.ts";
import { readParamsFile } from "./read-params-file.ts";
import { RunningFlow } from "./running.ts";
import type { StartRunRequest } from "./start-run.ts";

/** What a command gives to start a run: words of a command line, not yet values. */
export interface LaunchRequest extends Omit<StartRunRequest, "fields" | "readFile"> {
  /** Flags of parameters, configs and files, by field name. */
  readonly flags: StartRunRequest["fields"]["flags"];
  /** Path of `--params FILE`. */
  readonly paramsFile?: string;
}

/** Starts a run; awaiting the handle gives the finished run's row, whatever its status. */
export function launchRun(request: LaunchRequest): RunningFlow<RunRow> {
  let row: RunRow;
  return new RunningFlow<RunRow>(
    async (emit, signals) => {
      const { flags, paramsFile, ...rest } = request;
      const read = (file: string): Promise<Uint8Array> => readFile(path.resolve(request.cwd, file));
      const fromFile = paramsFile === undefined ? {} : { paramsFile: await readParamsFile(paramsFile, read) };
      // A thread takes as long to start as all that follows takes to load, so it is first.
      const { workersOf } = await import("./run-workers.ts");
      const workers = workersOf(rest);
      await workers.catch(() => {}); // Told by whoever uses them.
      // The stores as well: what is loaded after a flow has its source maps read.
      const [{ startRun }] = await Promise.all([import("./start-run.ts"), import("./open-stores.ts")]);
      row = await startRun({ ...rest, fields: { flags, ...fromFile }, readFile: read }, emit, signals, workers);
    },
    () => row,
  );
}
