/** `resume()` from a program: what goes in, what comes out, and what refuses it. */
import fs from "node:fs";
import { type RunEvent, resume, runs } from "@millrace/core";
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "./observe.ts";

const project = new Project({
  "adds.ts": flowText(
    "Adds",
    `readonly a = param(z.number().default(1)); readonly b = param(z.number().default(10));
    first!: number; sum!: number;
    @step({ next: "second" }) start() { this.first = this.a; }
    @step({ next: "end" }) async second() {
      if (existsSync(new URL("hold.done", import.meta.url))) await new Promise((_, reject) => this.signal.addEventListener("abort", () => reject(new Error("told"))));
      if (!existsSync(new URL("mended.done", import.meta.url))) throw new Error("not yet");
      this.sum = this.first + this.b;
    }
    @step() end() {}`,
  ),
  "nested.ts": `import { Flow, resume, step } from "@millrace/core";
    export default class Nested extends Flow { @step() async start() { await resume("Adds/1"); } }`,
});
afterAll(() => project[Symbol.asyncDispose]());

test("the same run goes on, with its id and its events; then it has nothing left", async () => {
  expect((await project.run("adds.ts", { params: { a: 5 } })).record).toMatchObject({ status: "failed" });
  project.write({ "mended.done": "" });
  const going = resume<any>(undefined, { tags: ["late"] });
  const kinds: string[] = [];
  const watching = (async () => {
    for await (const event of going) kinds.push((event as RunEvent).kind);
  })();
  const id = await going.id;
  const finished = await going;
  await watching;
  expect(finished).toMatchObject({ id, name: "Adds/1", status: "succeeded", tags: ["late"] });
  expect([await finished.data.sum, kinds[0], kinds.at(-1)]).toEqual([15, "run.resumed", "run.finished"]);
  await expect(resume("Adds/1")).rejects.toMatchObject({ code: "FLOW_RESUME_NOTHING_TO_DO" });
});

test("a fork from a step, with other parameters; the run may be given as itself", async () => {
  const origin = await runs<any>("Adds").get(1);
  await expect(resume<any>(origin, { params: { a: 7 }, from: "second" })).rejects.toMatchObject({
    code: "FLOW_RESUME_VALUE_READ",
  });
  const forked = await resume<any>(origin, { params: { b: 100 }, from: "second" });
  expect([forked.name, await forked.data.sum, await forked.data.a]).toEqual(["Adds/2", 105, 5]);
});

test("a run that fails again is an error with the step's own as its cause", async () => {
  fs.rmSync(project.file("mended.done"));
  await expect(resume("Adds/1", { from: "second" as never })).rejects.toMatchObject({
    code: "FLOW_RUN_FAILED",
    cause: expect.objectContaining({ message: "not yet" }),
  });
});

test("it is cancelled by a signal, and can be resumed", async () => {
  project.write({ "hold.done": "" });
  const controller = new AbortController();
  const going = resume("Adds/1", { from: "second" as never, signal: controller.signal });
  const watching = (async () => {
    for await (const event of going)
      if ((event as RunEvent).kind === "task.started") controller.abort(new Error("enough"));
  })();
  await expect(going).rejects.toMatchObject({ code: "FLOW_RUN_CANCELLED" });
  await watching.catch(() => {});
  fs.rmSync(project.file("hold.done"));
  project.write({ "mended.done": "" });
  const resumed = await resume<any>("Adds/4");
  expect([resumed.name, await resumed.data.sum]).toEqual(["Adds/4", 15]);
});

test("inside a step it is refused", async () => {
  const { error } = await project.run("nested.ts");
  expect(error).toMatchObject({ code: "FLOW_RUN_FAILED", cause: { code: "FLOW_RESUME_IN_STEP" } });
});
