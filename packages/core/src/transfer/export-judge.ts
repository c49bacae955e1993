/**
 * What an export is about to write, held to what an import takes. Everything that is wrong is told at once, by run and row, and
 * nothing was written then: a file that the other side refuses is worth nothing.
 */
import type { Digest } from "../artifact/artifact.ts";
import { isFlowError, type Problem, problemsError } from "../errors/flow-error.ts";
import { runName } from "../lineage/run-name.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import type { RecordTrial } from "../metadata/record-trial.ts";
import { BadContent, parseLine } from "./json-lines.ts";
import { type ManifestRun, type TagLine, tagLine } from "./lines.ts";
import { type PackageText, packageText } from "./package-text.ts";
import { checkManifest } from "./read-manifest.ts";
import { RunJudge, readRecordLine } from "./run-judge.ts";
import * as of from "./shapes.ts";
import { readTagLines } from "./tag-lines.ts";

/** Problems of one run that are told. */
const MAX_PROBLEMS = 20;
/** What to do about records that are not what they must be. */
export const RESTORE = "See with flow store verify what is wrong, and put the store back from a copy";
/** Whoever writes the values looks at each of them: it needs no second look. */
const ANY_CONTENT = { blob: () => {}, package: () => {} };

/** Takes text that is to be written, line by line, and keeps what is wrong with it. */
export class ExportJudge {
  readonly #trial: RecordTrial;
  readonly #problems: Problem[] = [];

  constructor(trial: RecordTrial) {
    this.#trial = trial;
  }

  /** The id of the store, which goes into every run that ran in it. */
  store(storeId: string): void {
    this.#tell("The store", RESTORE, () => {
      if (!of.storeId.safeParse(storeId).success)
        throw new BadContent(`its id ("store.store_id") is ${JSON.stringify(storeId)}`);
    });
  }

  /** A run, whose lines follow. */
  run(row: RunRow, line: ManifestRun): JudgedRun {
    const name = runName(row);
    const hint = `See with flow validate ${name} and flow store verify what is wrong; put the store back from a copy, or leave this run out`;
    let count = 0;
    return new JudgedRun(line, this.#trial, (work) => {
      const isWell = this.#tell(name, hint, work, count >= MAX_PROBLEMS);
      if (!isWell) count++;
      return isWell;
    });
  }

  /** A code package as the store keeps it; undefined when it is none. */
  package(digest: Digest, text: string): PackageText | undefined {
    let pack: PackageText | undefined;
    this.check(`The code package ${digest}`, () => {
      pack = packageText(digest, text);
    });
    return pack;
  }

  manifest(bytes: Uint8Array): void {
    // Each part of it was judged on its own: that is told by a better name.
    if (this.#problems.length === 0) this.check("The store", () => void checkManifest(bytes));
  }

  check(owner: string, work: () => void): void {
    this.#tell(owner, RESTORE, work);
  }

  /** @throws FlowError FLOW_TRANSFER_BAD_RECORDS with all that was found */
  throwProblems(): void {
    if (this.#problems.length > 0) throw problemsError("Cannot export the runs", this.#problems);
  }

  /** Does some work, keeps what is wrong there, and answers whether nothing was. */
  #tell(owner: string, hint: string, work: () => void, isOneTooMany = false): boolean {
    try {
      work();
      return true;
    } catch (error) {
      if (!(error instanceof BadContent) && !isFlowError(error, "FLOW_METADATA_BAD_ARGUMENT")) throw error;
      const message = `${owner} has records that no store takes: ${error.message}`;
      if (!isOneTooMany) this.#problems.push({ code: "FLOW_TRANSFER_BAD_RECORDS", message, hint });
      return false;
    }
  }
}

/** The lines of one run. */
export class JudgedRun {
  readonly #judge: RunJudge;
  readonly #run: ManifestRun;
  readonly #tell: (work: () => void) => boolean;
  /** Whether the lines so far are as they must be: of what comes behind one that is not, the shape alone is looked at. */
  #isSound = true;

  constructor(run: ManifestRun, trial: RecordTrial, tell: (work: () => void) => boolean) {
    this.#judge = new RunJudge(run, ANY_CONTENT, trial);
    this.#run = run;
    this.#tell = tell;
  }

  record(text: string): void {
    this.#try(() => {
      const line = readRecordLine(text);
      if (this.#isSound) this.#judge.add(line);
    });
  }

  /** When the last record has come. */
  endRecords(): void {
    let faults: readonly string[] = [];
    if (this.#isSound)
      this.#try(() => {
        faults = this.#judge.end();
      });
    for (const fault of faults)
      this.#try(() => {
        throw new BadContent(fault);
      });
  }

  origin(text: string): void {
    if (this.#isSound) this.#try(() => void this.#judge.addOrigin(text));
  }

  signature(text: string): void {
    this.#tell(() => this.#judge.addSignature(text));
  }

  tags(texts: readonly string[]): void {
    const read = (text: string): TagLine => parseLine(text, tagLine);
    this.#tell(() => void readTagLines(texts.map(read), this.#run.id));
  }

  #try(work: () => void): void {
    if (!this.#tell(work)) this.#isSound = false;
  }
}
