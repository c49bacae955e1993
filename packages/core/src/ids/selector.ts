/**
 * Texts that select runs, tasks and artifacts: `Train`, `Train/17`, `Train@prod:v1`, `Train/17/evaluate/3`, a run id,
 * each with an optional project in front (`shop/Train/17` is read as project only when the second part is no number)
 * and an artifact name behind a dot (`Train/17.modeler`; before the tags, which may hold dots: `Train.modeler@prod:v1`).
 * Grammar and examples: docs/formats/ids.md.
 */
import { FlowError } from "../errors/flow-error.ts";
import { isName, tagProblem } from "./names.ts";
import { isRunId, type RunId } from "./run-id.ts";
import { isTaskPath, type TaskPath } from "./task-path.ts";

/** A parsed selector. Exactly one of `runId`, `number` and `tags` says which run; none means the newest. */
export interface Selector {
  readonly text: string;
  readonly project?: string;
  readonly flow?: string;
  readonly runId?: RunId;
  readonly number?: number;
  readonly tags?: readonly string[];
  readonly step?: string;
  readonly path?: TaskPath;
  readonly artifact?: string;
}

/**
 * Parses a selector.
 *
 * @param text e.g. `Train`, `Train/17`, `Train@prod:v1`, `Train@prod:v1@eu`, `Train/17/fold/1.2`, `Train/17.modeler`,
 *   `@acme/shop/Train/17` (project first), `0190…-…` (a run id)
 * @throws FlowError FLOW_CLIENT_BAD_SELECTOR
 */
export function parseSelector(text: string): Selector {
  const at = text.indexOf("@", 1);
  const head = at < 0 ? text : text.slice(0, at);
  const parts = head.split("/");
  const tags = at < 0 ? undefined : text.slice(at + 1).split("@");
  for (const tag of tags ?? []) {
    const problem = tagProblem(tag);
    if (problem !== undefined) fail(text, `${JSON.stringify(tag)} after @ cannot be a tag: ${problem}`);
  }
  const out: { -readonly [K in keyof Selector]: Selector[K] } = { text };
  if (tags !== undefined) out.tags = tags;

  const artifactOf = (part: string): string => {
    const dot = part.indexOf(".");
    if (dot < 0 || /^[\d~]/.test(part)) {
      // A path such as 1.2 has dots of its own: the artifact is what follows the last dot when it is no number.
      const last = part.lastIndexOf(".");
      if (last < 0 || !isName(part.slice(last + 1))) return part;
      out.artifact = part.slice(last + 1);
      return part.slice(0, last);
    }
    out.artifact = part.slice(dot + 1);
    return part.slice(0, dot);
  };

  const last = parts.length - 1;
  parts[last] = artifactOf(parts[last]!);
  if (isRunId(parts[0]!)) {
    if (tags !== undefined) fail(text, "it names a run both by its id and by tag");
    out.runId = parts.shift() as RunId;
  } else {
    const flowAt = parts.findIndex(
      (part, index) => isName(part) && (parts[index + 1] === undefined || /^\d+$/.test(parts[index + 1]!)),
    );
    if (flowAt < 0 || flowAt > 2) fail(text, "it names no flow");
    if (flowAt > 0) out.project = projectOf(text, parts.slice(0, flowAt));
    out.flow = parts[flowAt]!;
    parts.splice(0, flowAt + 1);
    if (parts.length > 0) {
      if (tags !== undefined) fail(text, "it names a run both by number and by tag");
      out.number = Number(parts.shift());
      if (out.number < 1 || !Number.isSafeInteger(out.number)) fail(text, "the runs of a flow are numbered from 1");
    }
  }
  const step = parts.shift();
  if (step !== undefined) {
    if (!isName(step)) fail(text, `"${step}" cannot be a step`);
    out.step = step;
  }
  const path = parts.shift();
  if (path !== undefined) {
    if (!isTaskPath(path)) fail(text, `"${path}" cannot be a task path`);
    out.path = path;
  }
  if (parts.length > 0) fail(text, "it has too many parts");
  if (out.artifact !== undefined && !isName(out.artifact)) fail(text, `"${out.artifact}" cannot be an artifact`);
  return out;
}

/** A project is a package's name, with its scope if it has one. */
function projectOf(text: string, parts: readonly string[]): string {
  const isBad = (part: string) => part === "" || part === "." || part === ".." || /[\s\p{Cc}]/u.test(part);
  const bad = parts.find(isBad);
  if (bad !== undefined) fail(text, `${JSON.stringify(bad)} cannot be a project`);
  return parts.join("/");
}

function fail(text: string, why: string): never {
  throw new FlowError("FLOW_CLIENT_BAD_SELECTOR", {
    message: `Cannot read the selector "${text}": ${why}`,
    hint: "Write Flow, Flow/17, Flow@tag, Flow/17/step/0.1, or one of these with .artifact behind it",
    context: { selector: text },
  });
}
