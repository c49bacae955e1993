/**
 * A small flow whose store is hurt again and again: each try has a store of its own, and is looked at in the same way. It
 * may have failed in any manner that is said aloud; what it left must be whole, and must go on to the end that the
 * undisturbed run has.
 */
import fs from "node:fs";
import path from "node:path";
import { validate } from "@millrace/core/internal";
import { expect } from "vitest";
import { Project } from "../../kit/project.ts";
import { SpawnedFlow } from "../../kit/spawned-flow.ts";
import { flowText } from "../../scenarios/observe.ts";
import { expectOnce, inStore, look, type Seen } from "./look.ts";

/** Nothing takes a tenth of it; what does is called a hang. */
export const HANG_MS = 60_000;

/**
 * Six tasks, with values in the records and in files. The first one waits, where a file called `hold` says so, and says
 * in which thread it is.
 */
const SMALL = flowText(
  "Small",
  `
  items!: number[]; square!: number; wave!: Float64Array; sum!: number; waves!: Float64Array; marks!: string;
  @step({ next: "work", foreach: "items" }) async start() {
    const hold = new URL("hold", import.meta.url);
    if (existsSync(hold)) writeFileSync(new URL("thread", import.meta.url), readlinkSync("/proc/thread-self"));
    while (existsSync(hold)) await wait(2);
    this.items = [1, 2, 3];
  }
  @step({ next: "gather" }) work(item: number) {
    this.square = item ** 2;
    this.wave = Float64Array.from({ length: 3_000 }, (_, n) => Math.sqrt(item * 3_000 + n));
    console.log("worked on " + item);
  }
  @join({ next: "end" }) gather(inputs: Inputs<Small>) {
    this.sum = inputs.reduce((sum, input) => sum + input.square, 0);
    this.waves = Float64Array.from(inputs.flatMap((input) => [...input.wave]));
    this.marks = "marks ".repeat(1_000);
  }
  @step() end() {}`,
  'import { readlinkSync } from "node:fs";',
);

/** What the command said and how it ended. */
export type Ended = Awaited<SpawnedFlow["ended"]>;

export class Victim {
  readonly project = new Project({ "small.ts": SMALL });
  #undisturbed: Seen | undefined;
  #count = 0;

  /** Runs the flow undisturbed, once: what all others are compared with. */
  async prepare(): Promise<void> {
    const store = this.newStore();
    const { code, stderr } = await this.start(store, ["run", "small.ts"]).ended;
    expect([code, stderr]).toEqual([0, ""]);
    this.#undisturbed = await look(store);
    expect(Object.keys(this.#undisturbed.digests).length).toBeGreaterThan(8);
  }

  /** Expects of a run that succeeded that it has all that the undisturbed one has. */
  async expectRight(store: string, number: number): Promise<void> {
    const seen = await look(store, { flow: "Small", number });
    expect([seen.run, seen.status]).toEqual([`Small/${number}`, "succeeded"]);
    await this.#expectSame(store, seen);
  }

  /** A folder for a store that is not there yet. */
  newStore(): string {
    this.#count++;
    return this.project.file(path.join("stores", String(this.#count), ".millrace"));
  }

  start(
    store: string,
    words: readonly string[],
    options: { readonly under?: readonly string[]; readonly env?: Record<string, string> } = {},
  ): SpawnedFlow {
    fs.mkdirSync(path.dirname(store), { recursive: true });
    return new SpawnedFlow([...words, "--store", store, "--json"], {
      cwd: this.project.folder,
      env: { UV_USE_IO_URING: "0", UV_THREADPOOL_SIZE: "1", ...options.env },
      ...(options.under === undefined ? {} : { under: options.under }),
    });
  }

  /** Waits for the end of a command that was hurt; one that does not come to an end has failed the test. */
  async ended(run: SpawnedFlow): Promise<Ended> {
    await Promise.race([run.ended, run.after(HANG_MS)]);
    const hung = !run.isOver;
    run.killGroup();
    const ended = await run.ended;
    expect(hung, `it hung for ${HANG_MS} ms:\n${ended.stdout}${ended.stderr}`).toBe(false);
    return ended;
  }

  /**
   * What holds after each fault, whatever it was: nothing in the store is wrong; a run that said that it succeeded has
   * all that the undisturbed one has; any other one can be resumed, keeps its finished tasks, and ends in the same way.
   *
   * @param ended how the command ended that the fault hit
   */
  async expectUnharmed(store: string, ended: Ended): Promise<void> {
    const after = await look(store);
    if (ended.code === 0) expect(after.status).toBe("succeeded");
    // At the very end a command may have done all and not have come to say so.
    if (after.status === "succeeded") return this.#expectSame(store, after);
    if (after.run !== undefined) expect(["failed", "lost", "cancelled"]).toContain(after.status);
    this.#expectPart(after);
    const words = after.run === undefined ? ["run", "small.ts"] : ["resume", after.run];
    const again = await this.ended(this.start(store, words));
    expect([again.code, again.stderr], again.stdout).toEqual([0, ""]);
    const last = await look(store);
    expect([last.run, last.status]).toEqual(["Small/1", "succeeded"]);
    await this.#expectSame(store, last);
    const kept = new Map(last.rows.map((row) => [row.sequence, row]));
    for (const row of after.rows) if (row.status === "succeeded") expect(kept.get(row.sequence)).toEqual(row);
  }

  /** A command that failed says so with a code, the place and no stack, and does not take the blame for it. */
  expectSaid(store: string, { code, stdout, stderr }: Ended, codes: RegExp): void {
    expect([1, 3], stdout + stderr).toContain(code);
    expect(stderr).toBe("");
    const error = errorOf(stdout);
    expect(error?.code, stdout).toMatch(codes);
    expect(error.message, stdout).toContain(store);
    expect(error.hint, stdout).toEqual(expect.any(String));
    expect(error.message).not.toMatch(/\n\s+at /);
  }

  /** What a run did not reach may be missing; what it has is the same, and no task has succeeded twice. */
  #expectPart(seen: Seen): void {
    expect(this.#undisturbed!.digests).toMatchObject(seen.digests);
    expectOnce(seen);
  }

  async #expectSame(store: string, seen: Seen): Promise<void> {
    this.#expectPart(seen);
    expect(seen.digests).toEqual(this.#undisturbed!.digests);
    const report = await inStore(store, (stores) => validate(stores, { selector: seen.run! }));
    expect([report.ok, report.runs.length], JSON.stringify(report.checks)).toEqual([true, 1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.project[Symbol.asyncDispose]();
  }
}

/** The error that a command ended with: its own, or that of the run. */
export function errorOf(stdout: string): any {
  const last = JSON.parse(stdout.trimEnd().split("\n").at(-1) || "{}");
  return last.error ?? last.record?.failure?.error;
}
