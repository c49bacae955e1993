// Mastra with its LibSQL store: workflows in one process, a snapshot of each in a file.
import path from "node:path";
import { Mastra } from "@mastra/core";
import { createStep, createWorkflow } from "@mastra/core/workflows";
import { LibSQLStore } from "@mastra/libsql";
import { z } from "zod";

const LENGTH = 20;

export async function open({ folder }) {
  const storage = new LibSQLStore({ id: "bench", url: `file:${path.join(folder, "mastra.db")}` });
  const number = z.object({ n: z.number() });
  const task = createStep({
    id: "task",
    inputSchema: number,
    outputSchema: number,
    execute: async ({ inputData }) => inputData,
  });
  const wide = createWorkflow({ id: "wide", inputSchema: z.array(number), outputSchema: z.array(number) })
    .foreach(task, { concurrency: 2 })
    .commit();
  let line = createWorkflow({ id: "line", inputSchema: number, outputSchema: number });
  for (let index = 0; index < LENGTH; index++)
    line = line.then(
      createStep({
        id: `s${index}`,
        inputSchema: number,
        outputSchema: number,
        execute: async ({ inputData }) => inputData,
      }),
    );
  const mastra = new Mastra({ workflows: { wide, line: line.commit() }, storage, logger: false });
  const start = async (name, inputData) => {
    const run = await mastra.getWorkflow(name).createRun();
    const { status } = await run.start({ inputData });
    if (status !== "success") throw new Error(`the workflow ended as ${status}`);
  };
  return {
    fanOut: (count) =>
      start(
        "wide",
        Array.from({ length: count }, (_, n) => ({ n })),
      ),
    async line(count) {
      if (count !== LENGTH) throw new Error(`the line has ${LENGTH} steps`);
      await start("line", { n: 1 });
    },
    close() {},
  };
}
