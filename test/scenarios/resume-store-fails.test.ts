/** The store fails while a resume takes a run over: the run ends as failed, and does not look as if it were running. */
import {
  findResumeSubject,
  type MetadataStore,
  type OpenStores,
  planStores,
  startResume,
} from "@millrace/core/internal";
import { expect, onTestFinished, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "./observe.ts";

const flow = (work: string): string =>
  flowText("Late", `@step({ next: "fails" }) start() {} @step({ next: "end" }) fails() { ${work} } @step() end() {}`);

/** The same object, but one method fails from its nth call on. */
function failing<T extends object>(whole: T, method: keyof T, from: number): T {
  let calls = 0;
  return new Proxy(whole, {
    get(target, name) {
      const value: any = Reflect.get(target, name, target);
      if (name !== method) return typeof value === "function" ? value.bind(target) : value;
      return (...words: readonly unknown[]) => {
        calls++;
        if (calls >= from) return Promise.reject(new Error("the disk is gone"));
        return value.apply(target, words);
      };
    },
  });
}

test.each<readonly [keyof MetadataStore, number, "same" | "fork"]>([
  ["moveTags", 1, "same"],
  ["finishedTasks", 2, "same"], // The first call is the planner's.
  ["finishedTasks", 2, "fork"],
])("%s fails at call %i: the run (%s) is recorded as failed, and is resumed afterwards", async (method, from, kind) => {
  const project = new Project({
    "late.ts": flow(`if (!existsSync(new URL("mended.done", import.meta.url))) throw new Error("not yet");`),
  });
  onTestFinished(() => project[Symbol.asyncDispose]());
  expect((await project.flow(["run", "late.ts"])).code).toBe(1);
  project.write(kind === "same" ? { "mended.done": "" } : { "late.ts": flow("") });

  const planned = planStores({ store: project.store, cwd: project.folder, environment: {}, create: false });
  onTestFinished(() => planned.close());
  const subject = await findResumeSubject(planned, { cwd: project.folder, sameCode: false });
  const opened = await planned.open();
  const metadata = failing(opened.metadata, method, from);
  const stores = { ...planned, open: async (): Promise<OpenStores> => ({ ...opened, metadata }) };
  const asked = {
    subject,
    flags: {},
    tags: ["late"],
    upstreams: {},
    environment: {},
    cwd: project.folder,
    maxWorkers: 1,
  };
  const running = startResume({ ...asked, stores, command: ["flow", "resume"] });
  await expect(running).rejects.toThrow("the disk is gone");

  // This process lives on, and so the run would be shown as running.
  const name = kind === "same" ? "Late/1" : "Late/2";
  const { lines } = await project.flow(["show", name, "--json"]);
  expect(lines[0]).toMatchObject({ run: name, status: "failed", failure: { error: { message: "the disk is gone" } } });
  const executions = await opened.metadata.executions((await opened.metadata.runById(lines[0].id))!.sequence);
  expect(executions.at(-1)).toMatchObject({ number: kind === "same" ? 2 : 1, status: "failed" });
  const resumed = await project.flow(["resume"]);
  expect([resumed.code, resumed.stdout]).toEqual([0, expect.stringContaining(`${name} succeeded`)]);
});
