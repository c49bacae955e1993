/** Ctrl-C on the real process: the step is told, the run is recorded as cancelled, the process leaves nobody behind. */
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText, taskOf, tasksOf } from "./observe.ts";

const project = new Project({
  "waits.ts": flowText(
    "Waits",
    `
    items!: number[];
    @step({ next: "work", foreach: "items" }) start() { this.items = [0, 1, 2, 3]; }
    @step({ next: "gather" }) async work(item: number) {
      console.log("waiting", item);
      await new Promise((resolve) => this.signal.addEventListener("abort", resolve));
      done("told-" + item);
      throw new Error("stopped");
    }
    @join({ next: "end" }) gather() {}
    @step() end() {}`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

test.skipIf(process.platform === "win32")(
  "SIGINT while steps wait: exit code 130, recorded as cancelled, signal seen, no process left",
  async () => {
    let isSent = false;
    const mark = `millrace-test-${process.pid}-${Date.now()}`;
    const result = await project.flow(["run", "waits.ts", "--max-workers", "2"], {
      env: { MILLRACE_TEST_MARK: mark },
      onOutput: (text, kill) => {
        if (isSent || !text.includes("waiting 0") || !text.includes("waiting 1")) return;
        isSent = true;
        kill("SIGINT");
      },
    });
    expect([result.code, result.signal]).toEqual([130, null]);
    expect(result.stdout).toContain("Waits/1 cancelled");
    expect(
      readdirSync(project.folder)
        .filter((name) => name.startsWith("told-"))
        .toSorted(),
    ).toEqual(["told-0.done", "told-1.done"]);
    const [run] = (await project.flow(["runs", "Waits", "--json"])).lines;
    expect(run).toMatchObject({ run: "Waits/1", status: "cancelled", finishedAt: expect.any(String) });
    expect(Object.fromEntries((await tasksOf(project, run.id)).map((row) => [taskOf(row), row.status]))).toEqual({
      start: "succeeded",
      "work/0": "cancelled",
      "work/1": "cancelled",
    });
    const client = await project.client();
    await expect(client.runs("Waits").latest()).rejects.toMatchObject({ code: "FLOW_LINEAGE_NO_RUN" });
    expect(processesWith(mark)).toEqual([]);
  },
);

/** Processes whose environment has a word, as Linux shows it; elsewhere none are seen. */
function processesWith(word: string): readonly string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").filter((entry) => {
    try {
      return /^\d+$/.test(entry) && readFileSync(`/proc/${entry}/environ`).includes(word);
    } catch {
      return false; // It ended meanwhile, or belongs to someone else.
    }
  });
}
