/** The same run, resumed while somebody else resumes it: what is done once is not done twice, and the other one is told. */
import { expect, onTestFinished, test } from "vitest";
import { HeldSteps } from "../kit/held-step.ts";
import { Project } from "../kit/project.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";
import { flowText } from "./observe.ts";

/** start ─▶ fails ─▶ waits ─▶ end; it fails as long as its work says so, and is held behind that. */
const late = (work: string): string =>
  flowText(
    "Late",
    `
    readonly title = param(z.string().default("plain")); found!: string;
    @step({ next: "fails" }) start() {}
    @step({ next: "waits" }) fails() { ${work} this.found = this.title; }
    @step({ next: "end" }) async waits() { await hold(this.signal); }
    @step() end() {}`,
    `import { hold } from "./held-step.ts";`,
  );
const MENDED = late("");

/** A project with a failed run, whose flow was mended since. */
async function failedRun(): Promise<{ readonly project: Project; readonly held: HeldSteps }> {
  const project = new Project({ "late.ts": late(`throw new Error("not yet");`) });
  const held = new HeldSteps(project);
  onTestFinished(() => project[Symbol.asyncDispose]());
  expect((await project.here(["run", "late.ts"])).code).toBe(1);
  project.write({ "late.ts": MENDED });
  return { project, held };
}

function start(project: Project, ...words: readonly string[]): SpawnedFlow {
  const flow = new SpawnedFlow(words, { cwd: project.folder });
  onTestFinished(() => flow.killGroup());
  return flow;
}

const runsOf = async (project: Project): Promise<readonly any[]> => (await project.here(["runs", "--json"])).lines;

test.each([[["resume"]], [["resume", "Late/1"]]])(
  "of two at once one makes a fork, and the other is told: %s",
  async (words) => {
    const { project, held } = await failedRun();
    const two = [start(project, ...words), start(project, ...words)];
    const refused = await Promise.race(two.map(({ ended }) => ended));
    const winner = two.find(({ isOver }) => !isOver)!;
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("FLOW_RESUME_RUNNING");
    expect(refused.stderr).toMatch(new RegExp(`Cannot resume Late/1: Late/2 .* running in process ${winner.pid} on "`));
    expect(refused.stderr).toContain("flow logs Late/2 --follow");
    await held.reached("waits");
    held.release("waits");
    expect((await winner.ended).code).toBe(0);
    expect((await runsOf(project)).map(({ run, status }) => `${run} ${status}`)).toEqual([
      "Late/2 succeeded",
      "Late/1 failed",
    ]);
  },
);

test("while a fork runs, nothing is resumed that nobody named; one that does something else is begun", async () => {
  const { project, held } = await failedRun();
  const first = start(project, "resume");
  await held.reached("waits");
  expect((await project.here(["resume", "Late/1"])).stderr).toContain("FLOW_RESUME_RUNNING");
  // Other code would be another fork; but who names no run means the one that goes on already.
  project.write({ "late.ts": `${MENDED}// edited` });
  const refused = await project.here(["resume"]);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("Late/2 goes on from it")]);
  expect(refused.stderr).toContain("flow resume Late/1");
  held.release("waits", "waits#2");
  const other = await project.here(["resume", "Late/1", "--title", "other"]);
  expect([other.code, other.stdout]).toEqual([0, expect.stringContaining("Late/3 succeeded")]);
  expect((await first.ended).code).toBe(0);
});

test("a fork whose process has died is no hindrance: it goes on itself, and its origin can be forked again", async () => {
  const { project, held } = await failedRun();
  const killed = start(project, "resume");
  await held.reached("waits");
  killed.killGroup();
  await killed.ended;
  held.release("waits", "waits#2", "waits#3");
  expect((await project.here(["resume", "Late/1"])).stdout).toContain("Late/3 succeeded");
  expect((await project.here(["resume", "Late/2"])).stdout).toContain("Late/2 succeeded");
});
