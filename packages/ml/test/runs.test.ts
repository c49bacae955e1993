/** One model of each library through a real store: trained in one task, loaded in another, and in a run of another process. */
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "../../../test/kit/project.ts";
import { storeModel } from "../src/index.ts";
import { trainedModels } from "./trained-models.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
let project: Project;

beforeAll(() => {
  const read = (name: string): string => fs.readFileSync(path.join(HERE, name), "utf8");
  project = new Project({
    "keep.ts": read("keep.flow.ts"),
    "trained-models.ts": read("trained-models.ts").replace("../src/index.ts", "@millrace/ml"),
  });
  const modules = path.join(HERE, "../node_modules");
  for (const name of fs.readdirSync(modules).filter((entry) => !entry.startsWith(".") && entry !== "@millrace"))
    fs.symlinkSync(path.join(modules, name), project.file(`node_modules/${name}`));
});

afterAll(async () => project[Symbol.asyncDispose]());

/** Digests of the files of models that this process trains itself. */
async function trainedHere(names: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const digests: Record<string, string> = {};
  for (const name of names) {
    const { codec, train } = trainedModels[name]!;
    const { files } = await storeModel<unknown>(await train(), { codec });
    digests[name] = Object.values(files)
      .map(({ sha256 }) => sha256)
      .join();
  }
  return digests;
}

test("every model is loaded in another task and in another process, and has the digest that it has here", {
  timeout: 300_000,
}, async () => {
  for (const flow of ["Keep", "Use"]) {
    const { code, stderr } = await project.flow(["run", "keep.ts", "--flow", flow]);
    expect([flow, code, code === 0 ? "" : stderr]).toEqual([flow, 0, ""]);
  }
  const { stdout } = await project.flow(["dump", "Use.digests", "--json"]);
  const { value: digests } = JSON.parse(stdout) as { readonly value: Readonly<Record<string, string>> };
  expect(Object.keys(digests).sort()).toEqual(Object.keys(trainedModels).sort());
  const stable = Object.keys(digests).filter((name) => trainedModels[name]!.isByteStable !== false);
  expect(stable.length).toBeGreaterThan(20);
  expect(Object.fromEntries(stable.map((name) => [name, digests[name]]))).toEqual(await trainedHere(stable));
});
