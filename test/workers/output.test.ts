/** What tasks write: live, bounded, masked, and complete. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Placement } from "../../packages/core/src/runner/protocol.ts";
import { Project } from "../kit/project.ts";
import { Workers } from "../kit/workers.ts";
import { flowText } from "../scenarios/observe.ts";

const LIMIT = 10 * 1024 * 1024;
const project = new Project({
  "steps.ts": flowText(
    "Steps",
    `value!: unknown;
     @step({ next: "end" }) partial() { process.stdout.write("half a line"); for (;;); }
     @step({ next: "end" }) bar() { for (let n = 0; n <= 100; n += 25) process.stdout.write(\`\\r\${n} %\`); for (;;); }
     @step({ next: "end" }) flood() { const line = "x".repeat(1023) + "\\n"; for (let n = 0; n < 100 * 1024; n++) process.stdout.write(line); }
     @step({ next: "end" }) longLine() { process.stdout.write("ü".repeat(50_000_000)); }
     @step({ next: "end" }) bytes() { process.stdout.write(new Uint8Array([0xff, 0xfe, 0x00, 0x41])); const ue = Buffer.from("ü"); process.stdout.write(ue.subarray(0, 1)); process.stdout.write(ue.subarray(1)); }
     @step({ next: "end" }) escapes() { console.log("\\x1b[31mred\\x1b[0m \\x1b]0;title\\x07"); }
     @step({ next: "end" }) secrets() {
       console.log("the key is " + process.env.KEY + ", again " + process.env.KEY);
       process.stdout.write("split " + process.env.KEY!.slice(0, 4)); process.stdout.write(process.env.KEY!.slice(4) + " end\\n");
       console.log(JSON.stringify({ pem: process.env.PEM }), encodeURIComponent(process.env.KEY!));
       console.error(process.env.PEM!.split("\\n")[1]);
       process.stdout.write("not the whole " + process.env.KEY!.slice(0, 5));
     }
     @step({ next: "end" }) secretError() { throw Object.assign(new Error("refused: " + process.env.KEY, { cause: new Error(process.env.KEY) }), { name: process.env.KEY }); }
     @step({ next: "end" }) async secretCrash() { setTimeout(() => { throw new Error("refused: " + process.env.KEY); }, 1); await wait(60_000); }
     @step({ next: "end" }) secretRaw() { writeSync(2, "raw " + process.env.KEY + "\\n"); }
     @step({ next: "end" }) tokens() { console.log("alpha-secret beta-secret"); }
     @step({ next: "end" }) start() {} @step() end() {}`,
    `import { writeSync } from "node:fs";`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

const KEY = "s3cr3t/key+value";
const secrets = { KEY, PEM: "-----BEGIN-----\nMIIBOgIBAAJBAKj34GkxFhD9\n-----END-----" };

for (const isolate of ["thread", "process"] as const) {
  const where = `in a ${isolate}`;
  const placement: Placement = { isolate };
  const secretive: Placement = { isolate, secrets };
  let workers: Workers;
  beforeAll(async () => {
    workers = await Workers.open(project, "steps.ts");
  }, 60_000);
  afterAll(() => workers[Symbol.asyncDispose]());
  const written = async (step: string, where: Placement = placement) => {
    const from = workers.messages.length;
    const result = await workers.run(step, { placement: where });
    // Live pieces come on another way than results; whoever counts them knows when all are there.
    const isComplete = () =>
      outputs(workers, from).filter(({ task }) => task === result.sequence).length >= result.liveChunks;
    if (!isComplete()) await workers.heard(isComplete);
    const chunks = [...outputs(workers, from), ...result.logs];
    const of = (stream: string) => chunks.filter((chunk) => chunk.stream === stream).map((chunk) => chunk.text);
    return { stdout: of("stdout").join(""), stderr: of("stderr").join(""), pieces: of("stdout") };
  };

  test.each([
    ["partial", "half a line"],
    ["bar", "\r0 %\r25 %\r50 %\r75 %\r100 %"],
  ])(`${where}, %s is there while the step runs`, async (step, text) => {
    const from = workers.messages.length;
    const submission = workers.start(step, { placement });
    await workers.heard(() => textOf(outputs(workers, from)) === text);
    submission.end();
    await submission.results.catch(() => {});
    expect(textOf(outputs(workers, from))).toBe(text);
  });

  test(`${where}, a flood is cut after 10 MB, and the cut says how much is missing`, async () => {
    const { stdout } = await written("flood");
    const lines = stdout.split("\n");
    expect(lines.slice(-3)).toEqual(["", `[cut: ${90 * 1024 * 1024} more bytes of stdout were not kept]`, ""]);
    expect(lines.length).toBe(10 * 1024 + 3);
    expect(lines.slice(0, 10 * 1024).every((line) => line.length === 1023)).toBe(true);
  });

  test(`${where}, a line of 100 MB is cut between characters and comes in pieces`, async () => {
    const { stdout, pieces } = await written("longLine");
    const note = `\n[cut: ${100_000_000 - LIMIT} more bytes of stdout were not kept]\n`;
    expect(stdout.endsWith(note)).toBe(true);
    expect(stdout.length).toBe(LIMIT / 2 + note.length);
    expect(/^ü+$/.test(stdout.slice(0, LIMIT / 2))).toBe(true);
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(300_000);
  });

  test(`${where}, bytes and escape sequences come as they are, what is no text as U+FFFD`, async () => {
    expect((await written("bytes")).stdout).toBe("\ufffd\ufffd\0Aü");
    expect((await written("escapes")).stdout).toBe("\x1b[31mred\x1b[0m \x1b]0;title\x07\n");
  });

  test(`${where}, secrets are masked in output, also when they are split`, async () => {
    const { stdout, stderr } = await written("secrets", secretive);
    expect(stdout).toBe(
      `the key is ***, again ***\nsplit *** end\n{"pem":"***"} ***\nnot the whole ${KEY.slice(0, 5)}`,
    );
    expect(stderr).toBe("***\n");
    if (isolate === "process") expect((await written("secretRaw", secretive)).stderr).toBe("raw ***\n");
  });

  test(`${where}, secrets are masked in errors, caught or not`, async () => {
    const { outcome } = await workers.run("secretError", { placement: secretive });
    expect(outcome).toMatchObject({
      kind: "failed",
      error: { name: "***", message: "refused: ***", cause: { message: "***" } },
    });
    expect(JSON.stringify(outcome)).not.toContain("s3cr3t");
    const from = workers.messages.length;
    const lost: any = await workers.run("secretCrash", { placement: secretive }).then(
      () => expect.unreachable(),
      (error: unknown) => error,
    );
    expect([lost.message, lost.cause.message]).toEqual(["refused: ***", "refused: ***"]);
    expect([lost.stack, lost.cause.stack, JSON.stringify(outputs(workers, from))].join("")).not.toContain("s3cr3t");
  });
}

function textOf(chunks: readonly { readonly text: string }[]): string {
  return chunks.map((chunk) => chunk.text).join("");
}

function outputs(workers: Workers, from: number) {
  return workers.messages.slice(from).flatMap((one) => (one.kind === "output" ? [one.chunk] : []));
}

test("a run that comes back to a worker with other secrets has those masked", async () => {
  await using workers = await Workers.open(project, "steps.ts", { slots: 1 });
  const shown = async (token: string) => {
    const from = workers.messages.length;
    const { logs, liveChunks } = await workers.run("tokens", { secrets: { token } });
    const isComplete = () => outputs(workers, from).length >= liveChunks;
    if (!isComplete()) await workers.heard(isComplete);
    return textOf([...outputs(workers, from), ...logs]);
  };
  expect(await shown("alpha-secret")).toBe("*** beta-secret\n");
  expect(await shown("beta-secret")).toBe("alpha-secret ***\n");
});
