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
  } catch (error) {
    // Without the error itself: it quotes the file, which may hold secrets.
    throw bad(file, `it is not JSON${placeOf(error, text)}`, "Write a JSON object with one entry for each parameter");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw bad(file, "it holds no JSON object", "Write a JSON object with one entry for each parameter");
}

/** `: line 3, column 7`, where the parser tells. */
function placeOf(error: unknown, text: string): string {
  const position = /at position (\d+)/.exec((error as Error).message)?.[1];
  if (position === undefined) return "";
  const lines = text.slice(0, Number(position)).split("\n");
  return `: line ${lines.length}, column ${lines.at(-1)!.length + 1}`;
}

function bad(file: string, why: string, hint: string, cause?: unknown): FlowError {
  return new FlowError("FLOW_RUNNER_BAD_PARAMS_FILE", {
    message: `Cannot read the parameters from "${file}": ${why}`,
    hint,
    context: { file },
    ...(cause === undefined ? {} : { cause }),
  });
}
