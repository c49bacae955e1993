/** `flow step` with the real command: what it gives, what it refuses, and that it leaves the store as it was. */
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { BINARY } from "./kit.ts";

const TRAIN = `
import { setTimeout as sleep } from "node:timers/promises";
import readline from "node:readline/promises";
import { artifact, choose, Flow, type Inputs, join, param, step, upstream, z } from "@millrace/core";
import Rows from "./rows.ts";

export default class Train extends Flow {
  readonly factor = param(z.coerce.number().max(50).default(2));
  readonly token = param(z.string().default("none"), { secret: true });
  readonly rows = upstream(Rows);
  readonly limit = 5;
  what = artifact(z.string().max(20));
  items!: number[];
  item!: number;
  score!: number;
  best!: number;
  size!: "small" | "large";
  big!: Uint8Array;
  draw!: number;

  @step({ next: "evaluate", foreach: "items" })
  start() {
    this.what = "nothing";
    this.items = this.rows.data.rows;
    this.big = new Uint8Array(40_000).fill(this.factor);
  }

  @step({ next: "pickBest" })
  evaluate(item: number) {
    console.log("evaluating " + item);
    this.item = item;
    this.score = item * this.factor;
  }

  @join({ next: "measure" })
  pickBest(inputs: Inputs<Train>) {
    this.best = Math.max(...inputs.map((input) => input.score)) + (inputs.before.items.length - inputs.length) + (inputs[0]!.limit - this.limit);
    this.what = inputs.before.what;
    this.mergeArtifacts(inputs, { include: ["big"] });
  }

  @choose({ on: "size", next: { small: "end", large: "trouble" } })
  measure() {
    this.size = this.best > this.limit ? "large" : "small";
  }

  @step({ next: "end" })
  async trouble() {
    this.score = 1;
    switch (this.what) {
      case "fail": throw new RangeError("too good");
      case "exit": process.exit(0);
      case "exit 3": process.exit(3);
      case "hang": await new Promise(() => {});
      case "ask": this.score = Number(await readline.createInterface({ input: process.stdin }).question(""));
        break;
      case "wait":
        console.log("waiting");
        await sleep(60_000, undefined, { signal: this.signal });
        break;
      case "debug":
        debugger;
    }
    this.big[0] = 1;
  }

  @step()
  end() {}
}
`;

const project = new Project({
  "rows.ts": `
import { Flow, step } from "@millrace/core";
export default class Rows extends Flow {
  rows!: number[];
  @step({ next: "end" }) start() { this.rows = [1, 2, 3]; }
  @step() end() {}
}
`,
  "train.ts": TRAIN,
});
afterAll(() => project[Symbol.asyncDispose]());
beforeAll(async () => {
  for (const file of ["rows.ts", "train.ts"]) {
    const { code, stderr } = await project.here(["run", file]);
    if (code !== 0) throw new Error(stderr);
  }
}, 60_000);

/** Everything that the store says of its runs, and the names of its files. */
async function recorded(): Promise<unknown> {
  const shown = await Promise.all(
    ["Rows/1", "Train/1"].map(async (run) => (await project.here(["show", run, "--json"])).stdout),
  );
  const runs = await project.here(["runs", "--json"]);
  const blobs = fs.readdirSync(path.join(project.store, "blobs"), { recursive: true }).toSorted();
  return { shown, runs: runs.stdout, blobs };
}

const comparisons = (line: any): Record<string, string> =>
  Object.fromEntries(line.artifacts.map((artifact: any) => [artifact.name, artifact.comparison]));

describe("a step again", () => {
  test.each([
    ["Train/1/start", { big: "same", items: "same", what: "same" }],
    ["Train/1/evaluate/2", { item: "same", score: "same" }],
    ["Train/1/pickBest", { best: "same", big: "same", what: "same" }],
    ["Train/1/measure", { size: "same" }],
    ["Train/1/trouble", { big: "same", score: "same" }],
    ["Train/1/end", {}],
  ])("%s leaves what it left then", async (selector, expected) => {
    const { code, lines } = await project.flow(["step", selector, "--json"]);
    expect(code).toBe(0);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ schema: 1, task: selector, status: "succeeded", origin: { status: "succeeded" } });
    expect(comparisons(lines[0])).toEqual(expected);
  });

  test("shows what it writes, what it was run with, and the values", async () => {
    const { code, stdout, stderr } = await project.flow(["step", "Train/1/evaluate/2"]);
    expect(code).toBe(0);
    expect(stderr).toBe("Train/1/evaluate/2 again, with train.ts\nevaluating 3\n");
    expect(stdout).toMatch(/^✓ Train\/1\/evaluate\/2 again: succeeded after [\d.]+ m?s: 2 same\n/);
    expect(stdout).toMatch(/^score +same +[0-9a-f]{12} +6$/m);
  });

  test("nothing is recorded and nothing is stored", async () => {
    const before = await recorded();
    await project.flow(["step", "Train/1/start", "--set", "factor=9"]);
    await project.flow(["step", "Train/1/trouble", "--set", "what=fail"]);
    expect(await recorded()).toEqual(before);
  });

  test("with another parameter, and with another artifact", async () => {
    const parameter = await project.flow(["step", "Train/1/evaluate/0", "--set", "factor=10", "--json"]);
    expect(comparisons(parameter.lines[0])).toEqual({ item: "same", score: "different" });
    expect(parameter.lines[0].artifacts[1]).toMatchObject({ name: "score", value: 10, origin: { codec: "cbor" } });
    const artifact = await project.flow(["step", "Train/1/measure", "--set", "best=1"]);
    expect(artifact.stdout).toContain('chose "small" (then "large"), 1 different');
    const fanOut = await project.flow(["step", "Train/1/start", "--set", "factor=3", "--json"]);
    expect(comparisons(fanOut.lines[0])).toEqual({ big: "different", items: "same", what: "same" });
    expect(fanOut.lines[0]).toMatchObject({ fanOut: 3, origin: { fanOut: 3 } });
  });

  test("with the code as it is now, constants and new parameters included", async () => {
    project.write({
      "train.ts": TRAIN.replace("item * this.factor", "item * this.factor + this.limit + this.more").replace(
        "readonly limit = 5",
        "readonly limit = 100; readonly more = param(z.coerce.number().default(0.5))",
      ),
    });
    try {
      const { lines } = await project.flow(["step", "Train/1/evaluate/0", "--json"]);
      expect(lines[0].artifacts[1]).toMatchObject({ name: "score", comparison: "different", value: 102.5 });
    } finally {
      project.write({ "train.ts": TRAIN });
    }
  });

  test("with the code that was kept: when the source is gone, or when asked for", async () => {
    const words = ["step", "Train/1/evaluate/2", "--json"];
    const line = { task: "Train/1/evaluate/2", status: "succeeded", code: { kind: "kept", entry: "train.ts" } };
    project.write({ "train.ts": TRAIN.replace("item * this.factor", "item") });
    const asked = await project.flow([...words, "--kept-code"]);
    expect([asked.lines[0], comparisons(asked.lines[0])]).toMatchObject([line, { score: "same" }]);
    fs.rmSync(project.file("train.ts"));
    fs.rmSync(project.file("node_modules/.cache"), { recursive: true, force: true });
    try {
      const gone = await project.flow(words, { env: { XDG_CACHE_HOME: project.file("cache") } });
      expect([gone.lines[0], comparisons(gone.lines[0])]).toMatchObject([line, { score: "same" }]);
      const { stderr } = await project.flow(["step", "Train/1/trouble", "--set", "what=fail"]);
      expect(stderr).toContain("again, with the code that was kept of train.ts\n");
      expect(stderr).toMatch(/at Train\.trouble \(train\.ts:51:\d+\)\n$/);
    } finally {
      project.write({ "train.ts": TRAIN });
    }
  });

  test("from another folder, by the place of the store", async () => {
    const { code, stderr } = await project.flow(["step", "Train/1/end", "--store", project.store], {
      cwd: import.meta.dirname,
    });
    expect([code, stderr]).toEqual([0, `Train/1/end again, with ${project.file("train.ts")}\n`]);
  });
});

describe("a step that goes wrong", () => {
  test("fails with the user's stack and exit code 1", async () => {
    const words = ["step", "Train/1/trouble", "--set", "what=fail"];
    const { code, stderr, stdout } = await project.flow(words);
    expect(code).toBe(1);
    expect(stderr).toContain("✗ Train/1/trouble failed: RangeError: too good");
    expect(stderr).toMatch(/too good\n {4}at Train\.trouble \(train\.ts:51:\d+\)\n$/);
    expect(stdout).toMatch(/^✗ Train\/1\/trouble again: failed after /);
    const json = await project.flow([...words, "--json"]);
    expect([json.code, json.lines[0].status, json.lines[0].error.message]).toEqual([1, "failed", "too good"]);
  });

  test("that ends the process, or waits for what never comes, has not succeeded", async () => {
    const exited = await project.flow(["step", "Train/1/trouble", "--set", "what=exit"]);
    expect([exited.code, exited.stderr]).toEqual([1, expect.stringContaining("it ended the process with exit code 0")]);
    const hung = await project.flow(["step", "Train/1/trouble", "--set", "what=hang"]);
    expect([hung.code, hung.stderr]).toEqual([1, expect.stringContaining("it waited for something that never comes")]);
    expect(hung.stderr).not.toContain("await"); // Node's own warning, which shows a file of the command.
    // Another exit code would mean something else to whoever asks: 3 is a store that cannot be reached.
    const coded = await project.flow(["step", "Train/1/trouble", "--set", "what=exit 3", "--json"]);
    expect([coded.code, coded.stderr, coded.lines]).toEqual([
      1,
      "",
      [expect.objectContaining({ task: "Train/1/trouble", status: "failed", artifacts: [] })],
    ]);
    expect(coded.lines[0].error).toMatchObject({
      code: "FLOW_RUNNER_WORKER_ENDED",
      message: "it ended the process with exit code 3",
    });
  });

  test("a declared artifact is checked when it is set", async () => {
    const { code, stderr } = await project.flow(["step", "Train/1/trouble", "--set", `what=${"x".repeat(30)}`]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("FLOW_FLOW_ARTIFACT_MISMATCH")]);
  });

  test("Ctrl-C aborts its signal", async () => {
    const { code, stderr, stdout } = await project.flow(["step", "Train/1/trouble", "--set", "what=wait"], {
      onOutput: (output, kill) => {
        if (output.includes("waiting") && !output.includes("Stopping")) kill("SIGINT");
      },
    });
    expect([code, stderr, stdout]).toEqual([
      130,
      expect.stringContaining("Stopping"),
      expect.stringMatching(/^. Train\/1\/trouble again: cancelled/),
    ]);
  });
});

describe("in the foreground", () => {
  test("the step reads the terminal's input", async () => {
    const { code, stdout } = await called(["step", "Train/1/trouble", "--set", "what=ask", "--json"], "42\n");
    expect(code).toBe(0);
    expect(JSON.parse(stdout).artifacts).toContainEqual(expect.objectContaining({ name: "score", value: 42 }));
  });

  test("a debugger stops in it and sees its values", async () => {
    const env = { ...process.env, MILLRACE_STORE: project.store };
    const words = ["--inspect-brk=127.0.0.1:0", BINARY, "step", "Train/1/trouble", "--set", "what=debug", "--json"];
    const child = spawn(process.execPath, words, { cwd: project.folder, env, stdio: ["ignore", "pipe", "pipe"] });
    const output = text(child.stdout);
    const debug = await Debugger.of(child.stderr);
    const paused = await debug.pauseIn("trouble");
    expect(await debug.evaluate(paused, "this.factor + this.big.length")).toBe(40_002);
    debug.close();
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect([code, JSON.parse(await output).status]).toEqual([0, "succeeded"]);
  });
});

describe("what is refused", () => {
  test.each([
    ["step Train/1", 2, "FLOW_CLIENT_BAD_SELECTOR", "flow step takes a step or a task", "Train/1/start"],
    ["step Train/1/evaluate", 2, "FLOW_CLIENT_BAD_SELECTOR", "there are several", "Train/1/evaluate/0"],
    ["step Train/1/evalute/0", 1, "FLOW_CLIENT_NO_TASK", "evalute", 'Did you mean "evaluate"?'],
    ["step Train/1/evaluate/9", 1, "FLOW_CLIENT_NO_TASK", '"9"', "flow show Train/1/evaluate"],
    ["step Train/7/start", 1, "FLOW_LINEAGE_NO_RUN", "Train/7", ""],
    ["step Train/1/start.rows", 2, "FLOW_CLIENT_BAD_SELECTOR", "the artifact", "flow dump"],
    ["step Train/1/measure --set bset=1", 1, "FLOW_CLIENT_NO_ARTIFACT", '"bset"', 'Did you mean "best"?'],
    ["step Train/1/pickBest --set score=1", 1, "FLOW_CLIENT_NO_ARTIFACT", '"score"', "is a join"],
    ["step Train/1/start --set token=x", 2, "FLOW_PARAMETER_INVALID", "secret", "environment variable"],
    ["step Train/1/start --set factor=99", 2, "FLOW_PARAMETER_INVALID", "--factor 99", ""],
    ["step Train/1/start --set factor", 2, "FLOW_CLI_BAD_VALUE", "expected a name and a value", "NAME=VALUE"],
    ["step Train/1/start --set factor=1 --set factor=2", 2, "FLOW_CLI_BAD_VALUE", "set twice", "NAME=VALUE"],
  ])("flow %s", async (words, exit, code, message, hint) => {
    const { code: exited, stderr } = await project.flow(words.split(" "));
    expect(exited).toBe(exit);
    expect(stderr).toContain(code);
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test("a step that is gone or became another kind of step", async () => {
    project.write({ "train.ts": TRAIN.replaceAll("measure", "weigh") });
    const gone = await project.flow(["step", "Train/1/measure"]);
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining("FLOW_RUNNER_STEP_CHANGED")]);
    expect(gone.stderr).toContain('"train.ts" has no such step any more');
    project.write({
      "train.ts": TRAIN.replace('@step({ next: "end" })\n  async trouble', '@join({ next: "end" })\n  async trouble')
        .replace('@step({ next: "evaluate", foreach: "items" })', '@step({ next: ["measure", "other"] })')
        .replace('@join({ next: "measure" })\n  pickBest', '@step({ next: "trouble" })\n  other() {}\n  pickBest')
        .replace('@step({ next: "pickBest" })\n', "")
        .replace('small: "end"', 'small: "trouble"'),
    });
    const other = await project.flow(["step", "Train/1/trouble"]);
    expect(other.stderr).toContain("it is a join now");
    project.write({ "train.ts": TRAIN });
  });
});

/** The command with something to read. */
async function called(words: readonly string[], input: string): Promise<{ code: number | null; stdout: string }> {
  const env = { ...process.env, MILLRACE_STORE: project.store };
  const child = spawn(process.execPath, [BINARY, ...words], { cwd: project.folder, env, stdio: "pipe" });
  child.stdin.end(input);
  child.stderr.resume();
  const [stdout, code] = await Promise.all([
    text(child.stdout),
    new Promise<number | null>((resolve) => child.on("close", resolve)),
  ]);
  return { code, stdout };
}

/** The inspector of a process that waits for a debugger. */
class Debugger {
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (result: any) => void>();
  #next = 1;
  #onPaused: ((frames: any[]) => void) | undefined;

  static async of(stderr: NodeJS.ReadableStream): Promise<Debugger> {
    const address = await new Promise<string>((resolve) => {
      let said = "";
      stderr.setEncoding("utf8").on("data", (more: string) => {
        said += more;
        const found = /ws:\/\/\S+/.exec(said);
        if (found !== null) resolve(found[0]);
      });
    });
    const socket = new WebSocket(address);
    await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
    return new Debugger(socket);
  }

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(String(data));
      if (message.method === "Debugger.paused") this.#onPaused?.(message.params.callFrames);
      this.#answers.get(message.id)?.(message.result);
    });
  }

  /** Goes on until it stops in a function, and gives the frame. */
  async pauseIn(name: string): Promise<string> {
    const found = new Promise<string>((resolve) => {
      this.#onPaused = ([frame]) => {
        if (frame.functionName === name) resolve(frame.callFrameId);
        else void this.#send("Debugger.resume");
      };
    });
    await this.#send("Runtime.enable");
    await this.#send("Debugger.enable");
    await this.#send("Runtime.runIfWaitingForDebugger");
    return await found;
  }

  async evaluate(callFrameId: string, expression: string): Promise<unknown> {
    return (await this.#send("Debugger.evaluateOnCallFrame", { callFrameId, expression })).result.value;
  }

  close(): void {
    void this.#send("Debugger.resume");
    this.#socket.close();
  }

  #send(method: string, params: object = {}): Promise<any> {
    const id = this.#next++;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve) => this.#answers.set(id, resolve));
  }
}
