import { FlowError } from "../errors/flow-error.ts";

/**
 * The parameters of `--params FILE`: a JSON object.
 *
 * @throws FlowError FLOW_RUNNER_BAD_PARAMS_FILE
 */
export async function readParamsFile(
  file: string,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<Readonly<Record<string, unknown>>> {
  let text: string;
  try {
    text = Buffer.from(await readFile(file)).toString("utf8");
  } catch (cause) {
    throw bad(file, cause instanceof Error ? cause.message : String(cause), "Give the path of a JSON file", cause);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw bad(
      file,
      `it is not JSON: ${(cause as Error).message}`,
      "Write a JSON object with one entry for each parameter",
      cause,
    );
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw bad(file, "it holds no JSON object", "Write a JSON object with one entry for each parameter");
}

function bad(file: string, why: string, hint: string, cause?: unknown): FlowError {
  return new FlowError("FLOW_RUNNER_BAD_PARAMS_FILE", {
    message: `Cannot read the parameters from "${file}": ${why}`,
    hint,
    context: { file },
    ...(cause === undefined ? {} : { cause }),
  });
}
