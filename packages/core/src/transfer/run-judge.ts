/**
 * Whether the records of a run can be taken over: the one judgement that an export asks before it writes a file, and an import
 * (and its dry run) before it changes a store. What passes here is taken; what does not is refused in all three.
 */
import { isFlowError } from "../errors/flow-error.ts";
import type { ImportedFacts } from "../metadata/imported-run.ts";
import type { RecordTrial } from "../metadata/record-trial.ts";
import { MAX_SIGNATURES, readStatement } from "../metadata/run-signature.ts";
import { type NamedContent, RecordChecker } from "./check-records.ts";
import { BadContent, checkShape, parseJson } from "./json-lines.ts";
import { type ManifestRun, type OriginLine, originLine, type RecordLine, recordLine, signatureLine } from "./lines.ts";
import { runFacts, toRow } from "./read-rows.ts";

/** Codes of what no store could hold. Anything else a trial throws says that it could not be made. */
const NOT_HELD: readonly string[] = ["FLOW_METADATA_BAD_ARGUMENT", "FLOW_METADATA_CONFLICT"];
/** Where the trial stands in a file: what is kept of an import is not judged. */
const NOBODY = { at: new Date(0), actor: "", host: "", references: [], tagLogs: [] };

/** Takes the lines of one run in their order; each method throws BadContent naming the row. */
export class RunJudge {
  readonly #run: ManifestRun;
  readonly #trial: RecordTrial;
  readonly #checker: RecordChecker;
  #lastOrigin = -1;
  #signatures = 0;

  constructor(run: ManifestRun, content: NamedContent, trial: RecordTrial) {
    this.#run = run;
    this.#trial = trial;
    this.#checker = new RecordChecker(run, content);
  }

  /** A line of `records.jsonl`. */
  add(line: RecordLine): void {
    inRow(line, () => {
      this.#checker.add(line);
      if (line.kind === "run") this.#trial.begin(this.#facts(line));
      const row = toRow(line);
      if (row !== undefined) this.#trial.add(row);
    });
  }

  /** Answers, in words, what is wrong with the records that came against the digests among them. */
  end(): readonly string[] {
    this.#checker.end();
    return this.#trial.end();
  }

  /** A line of `origins.jsonl`; they come when the records have ended. */
  addOrigin(text: string): OriginLine {
    const line = checkShape(parseJson(text), originLine);
    if (line.task <= this.#lastOrigin) throw new BadContent("its lines are not in order");
    if (!this.#checker.isTakenOver(line.task))
      throw new BadContent(`it says where task ${line.task} was taken over from, which was not`);
    this.#lastOrigin = line.task;
    return line;
  }

  /** A line of `signatures.jsonl`. Whether it is genuine nobody can say here: that takes the keys that a reader trusts. */
  addSignature(text: string): void {
    const { statement } = checkShape(parseJson(text), signatureLine);
    if (readStatement(statement)?.run.id !== this.#run.id)
      throw new BadContent("one of its signatures is of another run");
    if (++this.#signatures > MAX_SIGNATURES)
      throw new BadContent(`it has more than ${MAX_SIGNATURES} signatures of one run`);
  }

  #facts(line: RecordLine & { readonly kind: "run" }): ImportedFacts {
    const { store, run } = this.#run;
    return runFacts(line, this.#run, { ...NOBODY, store, run });
  }
}

/**
 * A line of `records.jsonl` by its shape.
 *
 * @throws BadContent naming row and field
 */
export function readRecordLine(text: string): RecordLine {
  const value = parseJson(text);
  return inRow(value, () => checkShape(value, recordLine));
}

function inRow<T>(line: unknown, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const isContent = error instanceof BadContent || (isFlowError(error) && NOT_HELD.includes(error.code));
    throw isContent ? new BadContent(`${rowName(line)}: ${error.message}`, { cause: error }) : error;
  }
}

/** What a row is called; a line may hold anything. */
function rowName(line: unknown): string {
  const { kind, name, number, as, step, path, artifact, task } = (line ?? {}) as Readonly<Record<string, unknown>>;
  const said = (value: unknown): string => JSON.stringify(value)?.slice(0, 200) ?? "(no name)";
  const of = typeof task === "number" && task >= 0 ? ` of task ${task}` : "";
  switch (kind) {
    case "run":
      return "its run";
    case "execution":
      return `execution ${said(number)}`;
    case "value":
      return `${as === "constant" || as === "config" || as === "file" ? as : "parameter"} ${said(name)}`;
    case "upstream":
      return `upstream ${said(name)}`;
    case "task":
      return `task ${said(task)} (${said(step)}${path === "" ? "" : `, ${said(path)}`})`;
    case "artifact":
    case "metric":
      return `${kind} ${said(name)}${of}`;
    case "read":
      return `the read of ${said(artifact)}${of}`;
    case "page":
      return `a page of items${of}`;
    case "log":
      return `output${of}`;
    default:
      return "a line";
  }
}
