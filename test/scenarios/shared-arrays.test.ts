/** Large arrays: private copies from one memory, and `shared` without copies. The arrays are larger than what a worker keeps by itself. */
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { sharedMemoryBytes } from "../../packages/core/src/config/shared-memory.ts";
import { Project } from "../kit/project.ts";
import { flowText } from "./observe.ts";

const project = new Project();
afterAll(() => project[Symbol.asyncDispose]());

const SIZE = 1_000_000;
const MAKE = `this.data = Float64Array.from({ length: ${SIZE} }, (_, index) => index); this.items = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];`;
/** As MAKE, of bytes that do not compress. */
const MIXED = `this.data = Float64Array.from({ length: ${SIZE} }, (_, index) => (index === 7 ? 7 : Math.sin(index)));`;
const FIELDS = "data!: Float64Array; items!: number[]; seen!: unknown;";

/** Ten tasks of a foreach after \`start\`; what each leaves in \`seen\` is listed by the end. */
function wide(name: string, options: string, body: string): string {
  return flowText(
    name,
    `${FIELDS}
    @step({ next: "work", foreach: "items" }) start() { ${MAKE} }
    @step({ next: "end"${options} }) work(item: number) { ${body} }
    @join() end(inputs: Inputs<${name}>) { this.seen = inputs.map((input) => input.seen); }`,
  );
}

const KIND = "this.seen = [this.data[item], this.data.length, this.data.buffer instanceof SharedArrayBuffer];";

async function seenOf(file: string, text: string): Promise<unknown> {
  project.write({ [file]: text });
  const { run, error } = await project.run(file);
  expect(error).toBeUndefined();
  return await (run as any).data.seen;
}

describe("tasks that read one large array", () => {
  test("have private copies: what one changes no other sees, and the change is kept", async () => {
    const body =
      "this.data[item]! += 100; this.seen = [this.data.filter((value, index) => value !== index).length, this.data[item]];";
    const expected = Array.from({ length: 10 }, (_, item) => [1, item + 100]);
    expect(await seenOf("private.ts", wide("Private", "", body))).toEqual(expected);
  });

  test("share its memory where the step asks for it", async () => {
    const expected = Array.from({ length: 10 }, (_, item) => [item, SIZE, true]);
    expect(await seenOf("sharing.ts", wide("Sharing", ', shared: ["data"]', KIND))).toEqual(expected);
  });

  test("have copies in processes also where the step shares it", async () => {
    const expected = Array.from({ length: 10 }, (_, item) => [item, SIZE, false]);
    const options = ', shared: ["data"], isolate: "process"';
    expect(await seenOf("apart.ts", wide("Apart", options, KIND))).toEqual(expected);
  });

  test("read it from the store no more once it was stored in the run, and with its hash checked where it was not", async () => {
    // The file is damaged as soon as the array is stored: who reads it from the disk is told.
    const damage = (name: string, options: string) =>
      flowText(
        name,
        `${FIELDS}
        @step({ next: "harm" }) start() { ${MIXED} }
        @step({ next: "work" }) harm() {
          const blobs = ${JSON.stringify(path.join(project.store, "blobs"))};
          for (const file of readdirSync(blobs, { recursive: true, encoding: "utf8" }))
            if (statSync(blobs + "/" + file).size > 1_000_000) writeFileSync(blobs + "/" + file, "harmed");
        }
        @step({ next: "end"${options} }) work() { this.seen = this.data[7]; }
        @step() end() {}`,
        'import { readdirSync, statSync } from "node:fs";',
      );
    expect(await seenOf("kept.ts", damage("Kept", ""))).toBe(7);
    project.write({ "read.ts": damage("Read", ', shared: ["data"]') });
    const { error } = await project.run("read.ts");
    expect(error).toMatchObject({ cause: { code: "FLOW_ARTIFACT_DAMAGED" } });
  });
});

describe("a step that writes into an array that it shares", () => {
  const failing = (name: string, options: string) =>
    wide(name, `, shared: ["data"]${options}`, "this.data[item] = -1; this.seen = 1;");

  test.each([
    ["in threads", ""],
    ["in processes", ', isolate: "process"'],
  ])("fails, %s", async (_, options) => {
    project.write({ "writing.ts": failing("Writing", options) });
    const { error, record } = await project.run("writing.ts");
    expect(error).toMatchObject({
      cause: {
        code: "FLOW_RUNNER_SHARED_CHANGED",
        message: expect.stringContaining('the shared array "data" changed while it ran'),
      },
    });
    expect(record.status).toBe("failed");
  });

  test("spoils it for nobody who begins afterwards", async () => {
    const text = flowText(
      "Spoiling",
      `${FIELDS} failure?: TaskFailure;
      @step({ next: "spoil" }) start() { ${MAKE} }
      @step({ next: "throwing", shared: ["data"], catch: "failure" }) spoil() { this.data[3] = -1; }
      @step({ next: "look", shared: ["data"], catch: "failure" }) throwing() { this.data[3] = -1; throw new Error("on its way"); }
      @step({ next: "copy", shared: ["data"] }) look() { this.seen = [this.failure!.code, this.data[3]]; }
      @step({ next: "end" }) copy() { (this.seen as unknown[]).push(this.data[3]); }
      @step() end() {}`,
    );
    expect(await seenOf("spoiling.ts", text)).toEqual(["FLOW_STEP_FAILED", 3, 3]);
  });

  test("may keep it under another name, and a copy that it changes", async () => {
    const text = flowText(
      "Renaming",
      `${FIELDS} other!: Float64Array;
      @step({ next: "work" }) start() { ${MAKE} }
      @step({ next: "end", shared: ["data"] }) work() {
        const { data } = this;
        this.other = data;
        this.data = data.slice().fill(5, 0, 1);
      }
      @step() end() { this.seen = [this.other[0], this.other[1], this.data[0], this.data[1]]; }`,
    );
    expect(await seenOf("renaming.ts", text)).toEqual([0, 1, 5, 1]);
  });

  test("are two arrays when they have the same bytes and another type", async () => {
    const text = flowText(
      "Zeros",
      `a!: Float64Array; b!: Uint8Array; seen!: unknown;
      @step({ next: "read" }) start() { this.a = new Float64Array(${SIZE}); this.b = new Uint8Array(${8 * SIZE}); }
      @step({ next: "end", shared: ["a", "b"] }) read() { this.seen = [this.a.constructor.name, this.b.constructor.name, this.a.length]; }
      @step() end() { this.seen = [this.seen, this.a.constructor.name, this.b.constructor.name]; }`,
    );
    const expected = [["Float64Array", "Uint8Array", SIZE], "Float64Array", "Uint8Array"];
    expect(await seenOf("zeros.ts", text)).toEqual(expected);
  });

  test("cannot share what is no array", async () => {
    const text = flowText(
      "Listing",
      `list: any;
      @step({ next: "end" }) start() { this.list = [1]; }
      @step({ shared: ["list"] }) end() { void this.list; }`,
    );
    project.write({ "listing.ts": text });
    const { error } = await project.run("listing.ts");
    expect(error).toMatchObject({ cause: { code: "FLOW_RUNNER_NOT_SHAREABLE" } });
  });
});

test("the command takes the memory for arrays from the environment, and refuses what is no size", async () => {
  project.write({ "sizes.ts": wide("Sizes", "", KIND) });
  const none = await project.flow(["run", "sizes.ts"], { env: { MILLRACE_SHARED_MEMORY: "0B" } });
  expect(none.code).toBe(0);
  const wrong = await project.flow(["run", "sizes.ts"], { env: { MILLRACE_SHARED_MEMORY: "much" } });
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain("MILLRACE_SHARED_MEMORY");
  expect(() => sharedMemoryBytes({ MILLRACE_SHARED_MEMORY: "2" })).toThrow(
    expect.objectContaining({ code: "FLOW_RUNNER_BAD_SHARED_MEMORY" }),
  );
  expect(sharedMemoryBytes({}, 8_000)).toBe(2_000);
});
