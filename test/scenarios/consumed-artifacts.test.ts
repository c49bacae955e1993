/** What a flow declares of its artifacts is held to where it is read: in the code of the consumer, by runs of any age. */
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "./observe.ts";

const train = (schema: string, value: string) =>
  flowText(
    "Train",
    `model = artifact(${schema} as any) as any; rows = artifact(z.instanceof(Float64Array)); free!: unknown;
     @step({ next: "end" }) start() { this.model = ${value}; this.rows = new Float64Array(20_000); this.free = 1; }
     @step() end() {}`,
    `import { artifact } from "@millrace/core";`,
  );
const OLD = train("z.object({ trees: z.array(z.number()) })", "{ trees: [1, 2] }");
const project = new Project({
  "train.ts": OLD,
  "predict.ts": flowText(
    "Predict",
    `readonly model = upstream(Train); items!: number[]; sum!: number; failure?: TaskFailure;
     @step({ next: "each", foreach: "items" }) start() { this.items = [1, 2, 3]; }
     @step({ next: "gather" }) each(item: number) { this.sum = this.model.data.model.trees.length + this.model.data.rows.length + item; }
     @join({ next: "end" }) gather(inputs: Inputs<Predict>) { this.sum = inputs.length; }
     @step() end() {}`,
    `import Train from "./train.ts";`,
  ),
  "further.ts": flowText(
    "Further",
    `readonly predict = upstream(Predict); got!: unknown;
     @step({ next: "end" }) start() { this.got = this.predict.upstreams.model.data.model; }
     @step() end() {}`,
    `import Predict from "./predict.ts";`,
  ),
  "loose.ts": flowText(
    "Loose",
    `readonly model = upstream("Train"); readonly typed = upstream(Train, { optional: true }); got!: unknown;
     @step({ next: "end" }) start() { this.got = [(this.model.data as any).model, this.typed!.data.free]; }
     @step() end() {}`,
    `import Train from "./train.ts";`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

const failureOf = async (file: string): Promise<any> => (await project.run(file)).record.failure?.error;

test("a run that fits is read; one from before the schema changed is an error that names both", {
  timeout: 90_000,
}, async () => {
  const made = await project.run("train.ts");
  expect(made.error).toBeUndefined();
  const fits = await project.run("predict.ts");
  expect(fits.error).toBeUndefined();
  expect(fits.record.tasks.total).toBe(6);

  project.write({
    "train.ts": train(
      "z.object({ trees: z.array(z.object({ depth: z.number() })), kind: z.enum(['forest', 'tree']) })",
      "{ trees: [{ depth: 1 }], kind: 'tree' }",
    ),
  });
  const error = await failureOf("predict.ts");
  expect(error).toMatchObject({
    code: "FLOW_RUNNER_ARTIFACT_MISMATCH",
    context: { upstream: "model", artifact: "model", producer: made.record.id },
  });
  expect(error.message).toMatch(
    /^Cannot read "model" of Train\/1 in Predict\/2: .* trees\[0\]: .*; trees\[1\]: .*; kind: Choices: "forest", "tree"$/,
  );
  expect(error.hint).toContain("--model-run");
  // Further up as well: through the class of the upstream's own upstream.
  expect(await failureOf("further.ts")).toMatchObject({
    code: "FLOW_RUNNER_ARTIFACT_MISMATCH",
    context: { upstream: "predict.upstreams.model", artifact: "model" },
  });
  // Who names the flow by a text expects nothing of it, and what is not declared is free.
  expect((await project.run("loose.ts")).error).toBeUndefined();

  expect((await project.run("train.ts")).error).toBeUndefined();
  expect((await project.run("predict.ts")).error).toBeUndefined();
  expect(await failureOf("further.ts")).toBeUndefined(); // by way of the newest Predict
});
