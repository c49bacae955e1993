import path from "node:path";
import { describe, expect, test } from "vitest";
import { selectFlow } from "../../packages/core/src/package/flow-file.ts";
import { preparePackage } from "../../packages/core/src/package/prepare-package.ts";
import { HELLO, makeProject, type ProjectFiles, runProgram } from "./project-kit.ts";

interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly problems: readonly {
    readonly code: string;
    readonly message: string;
    readonly hint?: string;
    readonly location?: { readonly file: string; readonly line: number; readonly column: number };
  }[];
  readonly cause?: { readonly message: string };
}

async function refused(files: ProjectFiles, entry = "flow.ts"): Promise<Refusal & { readonly root: string }> {
  const root = makeProject({ "package.json": '{ "type": "module" }', "node_modules/.keep": "", ...files });
  const error: unknown = await preparePackage(path.join(root, entry)).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Error)) throw new Error("the file was accepted");
  const { code, message, hint, problems, cause } = error as Error & Refusal;
  return {
    root,
    code,
    message,
    ...(hint === undefined ? {} : { hint }),
    problems,
    ...(cause === undefined ? {} : { cause }),
  };
}

describe("a path that is no flow file", () => {
  test("a missing file names the nearest one", async () => {
    const error = await refused({ "src/train.ts": HELLO, "src/trial.md": "" }, "src/trian.ts");
    expect(error.code).toBe("FLOW_PACKAGE_FILE_MISSING");
    expect(error.message).toBe(`Cannot find "${error.root}/src/trian.ts": there is no such file`);
    expect(error.hint).toBe(`Did you mean "${error.root}/src/train.ts"?`);
  });

  test("a missing folder names the nearest folder", async () => {
    const error = await refused({ "flows/train.ts": HELLO }, "flwos/train.ts");
    expect(error.code).toBe("FLOW_PACKAGE_FILE_MISSING");
    expect(error.hint).toBe(`Did you mean "${error.root}/flows/train.ts"?`);
  });

  test("a file that nothing is near lists those that are there; with none, it says where paths begin", async () => {
    const listed = await refused({ "src/train.ts": HELLO, "src/trial.md": "" }, "src/entirely-other.ts");
    expect(listed.hint).toBe(`Its folder has "${listed.root}/src/train.ts"`);
    for (const missing of ["src/entirely-other.ts", "elsewhere/entirely-other.ts"]) {
      const empty = await refused({ "src/trial.md": "" }, missing);
      expect(empty.hint).toBe("Give the path of a flow file, from the folder that the command is started in");
    }
  });

  test("a folder lists the files in it", async () => {
    const error = await refused({ "flows/train.ts": HELLO, "flows/notes.md": "" }, "flows");
    expect(error.code).toBe("FLOW_PACKAGE_NOT_A_FILE");
    expect(error.hint).toBe(`Give a file in it: "${error.root}/flows/train.ts"`);
  });

  test("a file that is no module", async () => {
    expect(await refused({ "data.csv": "a,b" }, "data.csv")).toMatchObject({ code: "FLOW_PACKAGE_NOT_A_MODULE" });
  });
});

describe("a file without a flow to run", () => {
  test("says what it exports", async () => {
    const error = await refused({ "flow.ts": "export const x = 1;\nexport class Plain {}\n" });
    expect(error.code).toBe("FLOW_PACKAGE_NO_FLOW");
    expect(error.message).toContain('it exports "Plain", "x", and no class that extends Flow');
  });

  test("a class that extends Flow says that it has no steps", async () => {
    const error = await refused({
      "flow.ts": 'import { Flow } from "@millrace/core";\nexport default class Emp extends Flow { x = 1 }\n',
    });
    expect(error.code).toBe("FLOW_PACKAGE_NO_FLOW");
    expect(error.message).toBe(`Cannot find a flow in "${error.root}/flow.ts": "Emp" extends Flow but has no steps`);
    expect(error.hint).toBe("Decorate a method with @step: @step() start() { … }");
  });

  test("an abstract base alone is no flow", async () => {
    const error = await refused({ "flow.ts": HELLO.replace("export default class", "export abstract class") });
    expect(error.code).toBe("FLOW_PACKAGE_NO_FLOW");
  });

  test("several flows: the default export, else the only one, else --flow", async () => {
    const second = HELLO.replace("export default class Hello", "export class Other").replace(/^import.*\n/, "");
    const root = makeProject({
      "node_modules/.keep": "",
      "both.ts": HELLO + second,
      "named.ts": HELLO.replace("export default class", "export class") + second,
      "one.ts": HELLO.replace("export default class", "export class"),
    });
    const [both, named, one] = await Promise.all(
      ["both.ts", "named.ts", "one.ts"].map((name) => preparePackage(path.join(root, name))),
    );
    expect(both!.flows.map((flow) => [flow.exportName, flow.definition.name])).toEqual([
      ["default", "Hello"],
      ["Other", "Other"],
    ]);
    expect(selectFlow(both!).definition.name).toBe("Hello");
    expect(selectFlow(both!, "Other").exportName).toBe("Other");
    expect(selectFlow(one!).definition.name).toBe("Hello");
    expect(() => selectFlow(named!)).toThrow(
      expect.objectContaining({
        code: "FLOW_PACKAGE_AMBIGUOUS",
        message: 'Cannot choose a flow of "named.ts": it exports "Hello", "Other"',
        hint: expect.stringContaining("--flow Hello"),
      }),
    );
    expect(() => selectFlow(named!, "Othre")).toThrow(
      expect.objectContaining({ code: "FLOW_PACKAGE_UNKNOWN_FLOW", hint: 'Did you mean "Other"?' }),
    );
  });
});

describe("sources that cannot be bundled", () => {
  test("a syntax error shows place and line", async () => {
    const error = await refused({
      "flow.ts": `import "./lib.ts";\n${HELLO}`,
      "lib.ts": "const a = 1;\n  const b = = 2;\n",
    });
    expect(error.code).toBe("FLOW_PACKAGE_SYNTAX");
    expect(error.problems[0]).toMatchObject({ location: { file: `${error.root}/lib.ts`, line: 2, column: 13 } });
    expect(error.message).toContain(`${error.root}/lib.ts:2:13: const b = = 2;`);
  });

  test("imports that lead nowhere are listed together, each with what to do", async () => {
    const error = await refused({
      "node_modules/half/package.json": '{ "name": "half", "main": "dist/index.js" }',
      "flow.ts": `import "@acme/none/sub";\nimport "half";\nimport { x } from "./missing.ts";\n${HELLO.replace('"hello"', "String(x)")}`,
    });
    expect(error.code).toBe("FLOW_PACKAGE_UNRESOLVED");
    expect(error.problems.map((problem) => [problem.location?.line, problem.hint])).toEqual([
      [1, "npm install @acme/none"],
      [2, 'Build "half": it is there, but not the file that its package.json names for this import'],
      [3, "Check the path and the ending of the file"],
    ]);
    expect(error.problems[0]!.message).toBe(`"@acme/none/sub" was not found at ${error.root}/flow.ts:1:8`);
  });

  test("a data file imported like a module", async () => {
    const error = await refused({
      "flow.ts": `import rows from "./rows.csv";\n${HELLO.replace('"hello"', "rows")}`,
      "rows.csv": "1",
    });
    expect(error.code).toBe("FLOW_PACKAGE_UNSUPPORTED_FILE");
    expect(error.hint).toContain("includeFile()");
  });

  test("legacy decorators name the tsconfig that asks for them", async () => {
    const error = await refused({
      "flow.ts": HELLO,
      "tsconfig.json": '{ "extends": "./tools/strict" }',
      "tools/strict.json": '{ "compilerOptions": { "experimentalDecorators": true } }',
    });
    expect(error.code).toBe("FLOW_PACKAGE_LEGACY_DECORATORS");
    expect(error.message).toContain(`"${error.root}/tools/strict.json" sets "experimentalDecorators"`);
  });

  test("a nearer tsconfig may switch legacy decorators off again", async () => {
    const root = makeProject({
      "node_modules/.keep": "",
      "flow.ts": HELLO,
      "tsconfig.json": '{ "extends": "./strict.json", "compilerOptions": { "experimentalDecorators": false } }',
      "strict.json": '{ "compilerOptions": { "experimentalDecorators": true } }',
    });
    expect((await preparePackage(path.join(root, "flow.ts"))).flows).toHaveLength(1);
  });
});

describe("modules that fail when they are loaded", () => {
  test("top-level code that throws is the cause", async () => {
    const error = await refused({ "flow.ts": `${HELLO}\nthrow new Error("no licence");\n` });
    expect(error.code).toBe("FLOW_PACKAGE_LOAD_FAILED");
    expect(error.message).toBe('Cannot load "flow.ts": no licence');
    expect(error.cause?.message).toBe("no licence");
  });

  /** In a process of its own, where Node maps the lines. */
  async function told(files: ProjectFiles): Promise<{ readonly root: string; readonly lines: readonly string[] }> {
    const root = makeProject({ "package.json": '{ "type": "module" }', "node_modules/.keep": "", ...files });
    const result = await runProgram(
      path.join(root, "flow.ts"),
      `const { exit } = process;
await preparePackage(entry).catch((error) => console.log([error.code, error.message, JSON.stringify(error.context.location)].join("\\n")));
console.log(process.exit === exit);`,
    );
    expect(result.stderr).toBe("");
    return { root, lines: result.stdout.trimEnd().split("\n") };
  }

  test("the place is that of the first line in the flow's own sources", async () => {
    const { root, lines } = await told({
      "flow.ts": `import "./lib.ts";\n${HELLO}`,
      "lib.ts": "interface Gone {}\nconst o: any = undefined;\no.x;\n",
    });
    expect(lines).toEqual([
      "FLOW_PACKAGE_LOAD_FAILED",
      `Cannot load "flow.ts": Cannot read properties of undefined (reading 'x') (${root}/lib.ts:3:3)`,
      JSON.stringify({ file: `${root}/lib.ts`, line: 3, column: 3 }),
      "true",
    ]);
  });

  test.each([
    ["at once", "process.exit(0);", "15:9"],
    ["behind an await", "await null; process.exit(0);", "15:21"],
    ["and catches the error", "try { process.exit(0); } catch {}", "15:15"],
  ])("a module that ends the process %s is an error", async (_how, text, place) => {
    const { root, lines } = await told({ "flow.ts": `${HELLO}\n${text}\n` });
    expect(lines[0]).toBe("FLOW_PACKAGE_LOAD_FAILED");
    expect(lines[1]).toBe(`Cannot load "flow.ts": it ended the process while it was loaded (${root}/flow.ts:${place})`);
    expect(lines.at(-1)).toBe("true");
  });

  test("handlers of signals may end the process while a package loads", async () => {
    const root = makeProject({ "node_modules/.keep": "", "flow.ts": `${HELLO}\nawait new Promise(() => {});\n` });
    const result = await runProgram(
      path.join(root, "flow.ts"),
      `process.on("SIGUSR2", () => process.exit(7)); setTimeout(() => process.kill(process.pid, "SIGUSR2"), 300);
setInterval(() => {}, 1000); await preparePackage(entry);`,
    );
    expect([result.status, result.stderr]).toEqual([7, ""]);
  });

  test("an export that an installed package does not have is told without our own names", async () => {
    const error = await refused({
      "node_modules/dep/package.json": '{ "name": "dep", "type": "module", "exports": "./index.js" }',
      "node_modules/dep/index.js": "export const there = 1;\n",
      "flow.ts": `import { missing } from "dep";\n${HELLO.replace('"hello"', "missing")}`,
    });
    expect(error.message).toBe(
      `Cannot load "flow.ts": The requested module 'dep' does not provide an export named 'missing'`,
    );
  });
});
