/**
 * Random steps on random inputs: whatever the step cache takes over, each task leaves what it would have left by running.
 * A read that is left out of the keys on purpose must be found by the same property.
 */
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { current } from "../../packages/core/src/flow/current.ts";
import { choose, join, step } from "../../packages/core/src/flow/decorators.ts";
import { defineFlow } from "../../packages/core/src/flow/define-flow.ts";
import { Flow } from "../../packages/core/src/flow/flow.ts";
import { param } from "../../packages/core/src/flow/param.ts";
import type { FlowClass } from "../../packages/core/src/flow/public-types.ts";
import { upstream } from "../../packages/core/src/flow/upstream.ts";
import { checkGraph } from "../../packages/core/src/graph/check-graph.ts";
import { newRunId, type RunId } from "../../packages/core/src/ids/run-id.ts";
import { z } from "../../packages/core/src/index.ts";
import type { TaskRow } from "../../packages/core/src/metadata/metadata-store.ts";
import { textDigest } from "../../packages/core/src/runner/cache-basis.ts";
import { InlineExecutor } from "../../packages/core/src/runner/inline-executor.ts";
import { ReadLog } from "../../packages/core/src/runner/worker/cache/read-log.ts";
import { createGivenRun } from "../../packages/core/src/testing/given-run.ts";
import { attemptPolicies } from "../../packages/core/src/wiring/attempt-policies.ts";
import { executeRun } from "../../packages/core/src/wiring/execute-run.ts";
import { type MemoryStores, openMemoryStores } from "../../packages/core/src/wiring/open-memory-stores.ts";
import { times } from "../faults/twenty.ts";
import { sample, seeded } from "../kit/seed.ts";
import { type Instruction, perform, type StepProgram, stepProgram } from "../kit/step-program.ts";

type Programs = Readonly<Record<string, StepProgram>>;

/** The code of the steps, and the value of a constant, of the flow that runs at the moment. */
let programs: Programs = {};
let constant = 0;

class Rows extends Flow {
  rows!: number;
  more!: number;
  @step() start() {}
}

/** A foreach with a line inside and a join behind, then branches and their join, then a choice. */
class Random extends Flow {
  readonly p0 = param(z.number().default(0));
  readonly source = upstream(Rows, { optional: true });
  readonly kept = [constant];
  #private = 0;
  items!: unknown[];
  f0!: unknown;
  way!: "a" | "b";

  @step({ next: "work", foreach: "items" }) start(...given: unknown[]) {
    this.#perform("start", given);
    if (!Array.isArray(this.items)) this.items = [this.p0, 1];
  }
  @step({ next: "polish" }) work(item: unknown, index: number) {
    this.#perform("work", [item, index]);
  }
  @step({ next: "gather" }) polish() {
    this.#perform("polish", []);
  }
  @join({ next: ["left", "right"] }) gather(inputs: readonly unknown[]) {
    this.#perform("gather", [inputs]);
  }
  @step({ next: "meet" }) left() {
    this.#perform("left", [this.kept[0]]);
  }
  @step({ next: "meet" }) right() {
    this.#perform("right", []);
  }
  @join({ next: "decide" }) meet(inputs: readonly unknown[]) {
    this.#perform("meet", [inputs]);
  }
  @choose({ on: "way", next: { a: "end", b: "detour" } }) decide() {
    this.#perform("decide", []);
    this.way = this.f0 === 1 ? "a" : "b";
  }
  @step({ next: "end" }) detour() {
    this.#perform("detour", []);
  }
  @step() end() {
    this.#perform("end", []);
  }

  #perform(name: string, parameters: readonly unknown[]): void {
    this.#private++;
    if (this.#private !== 1) throw new Error("a flow object is private to its task");
    perform(this, programs[name] ?? [], { parameters, current });
  }
}

/** The same steps in another flow. */
class Other extends Random {}

interface Given {
  readonly flow: FlowClass<Flow>;
  readonly p0: number;
  readonly constant: number;
  readonly tags: readonly string[];
  readonly upstream: { readonly rows?: number; readonly more?: number } | undefined;
  readonly programs: Programs;
}

interface Seen {
  readonly status: string;
  readonly cached: number;
  /** By step and path: what a task left visible, how it split and what it chose. */
  readonly tasks: Readonly<Record<string, unknown>>;
}

async function run(stores: MemoryStores, given: Given, id: RunId, isCached: boolean): Promise<Seen> {
  programs = given.programs;
  constant = given.constant;
  const { prepared, row } = await createGivenRun(stores, given.flow, {
    id,
    createdAt: new Date(0),
    params: { p0: given.p0 },
    tags: given.tags,
    upstreams: { source: given.upstream as Readonly<Record<string, unknown>> | undefined },
  });
  const definition = defineFlow(given.flow, { project: "test" });
  const steps = definition.steps.map((each) => ({
    ...each,
    codeDigest: textDigest(JSON.stringify([each.name, given.programs[each.name]])),
    behaviour: { cache: isCached },
  }));
  const digested = { ...definition, steps };
  const { policies } = await attemptPolicies(digested, new Map(), {
    environment: {},
    readFile: async () => new Uint8Array(),
  });
  const executor = new InlineExecutor({
    flowClass: given.flow,
    artifacts: stores.artifacts,
    reader: stores.reader,
    describeError: (thrown) => ({ code: "FLOW_STEP_FAILED", name: "Error", message: String(thrown) }),
    output: "passed",
  });
  const finished = await executeRun({
    stores: { metadata: stores.metadata, folder: "memory", isInPlace: () => true },
    row,
    execution: 1,
    prepared: { ...prepared, definition: digested, graph: checkGraph(digested), policies },
    executor,
    emit: () => {},
    signals: { stop: new AbortController().signal, endNow: new AbortController().signal },
  });
  await executor.close();
  const rows = await stores.metadata.tasks({ run: row.sequence, limit: 1_000 });
  const tasks: Record<string, unknown> = {};
  for (const task of rows) {
    const visible = task.status === "succeeded" ? stores.reader.visibleArtifacts(task.sequence) : [];
    tasks[`${task.step}/${task.path}`] = [
      task.status,
      task.fanOut,
      task.choice,
      await pagesOf(stores, task),
      (task.valueReads ?? []).toSorted(),
      visible.map(({ name, codec, digest }) => `${name} ${codec} ${digest}`),
    ];
  }
  return { status: finished.status, cached: rows.filter(({ origin }) => origin?.kind === "cache").length, tasks };
}

async function pagesOf(stores: MemoryStores, task: TaskRow): Promise<unknown> {
  const page = task.fanOut === undefined ? undefined : stores.reader.itemPage(task.sequence, 0);
  return page && [page.count, page.digest];
}

const STEPS = ["start", "work", "polish", "left", "right", "decide", "detour", "end"] as const;

const code = (focus: readonly Instruction[]): fc.Arbitrary<Programs> =>
  fc.record({
    ...Object.fromEntries(STEPS.map((name) => [name, stepProgram("step", focus)])),
    gather: stepProgram("join", focus),
    meet: stepProgram("join", focus),
  });

const inputs = fc.record({
  flow: fc.constantFrom<FlowClass<Flow>>(Random, Random, Other),
  p0: fc.integer({ min: 0, max: 2 }),
  constant: fc.integer({ min: 0, max: 1 }),
  tags: fc.constantFrom<readonly string[]>([], [], ["x"]),
  upstream: fc.option(
    fc.record(
      { rows: fc.integer({ min: 0, max: 1 }), more: fc.integer({ min: 0, max: 1 }) },
      { requiredKeys: ["rows"] },
    ),
    { nil: undefined },
  ),
  /** The step whose code is another one in this run, if any. */
  changed: fc.option(fc.tuple(fc.constantFrom(...STEPS), stepProgram("step")), { nil: undefined, freq: 2 }),
});

/** Runs with the cache leave what runs without it leave. */
const isTransparent = (count: { cached: number; runs: number }, focus: readonly Instruction[] = []) =>
  fc.asyncProperty(code(focus), fc.array(inputs, { minLength: 2, maxLength: 4 }), async (original, sequence) => {
    const [on, off] = [openMemoryStores(), openMemoryStores()];
    try {
      for (const { changed, ...each } of sequence) {
        const given = {
          ...each,
          programs: changed === undefined ? original : { ...original, [changed[0]]: changed[1] },
        };
        const id = newRunId(); // The same for both: it decides what a step draws at random.
        const cached = await run(on, given, id, true);
        const plain = await run(off, given, id, false);
        count.cached += cached.cached;
        count.runs++;
        expect({ ...cached, cached: 0 }).toEqual(plain);
      }
    } finally {
      await Promise.all([on.close(), off.close()]);
    }
  });

afterEach(() => vi.restoreAllMocks());

test("a run with the step cache leaves what it leaves without, task by task", { timeout: 600_000 }, async () => {
  const count = { cached: 0, runs: 0 };
  await fc.assert(isTransparent(count), { numRuns: times(25, 300) });
  expect(count.cached).toBeGreaterThan(count.runs * 2); // 3.2 to 3.9 were seen: the property says something about tasks that were taken over.
});

interface Defect {
  /** Reads that are kept from the keys. */
  readonly without?: (name: string) => boolean;
  readonly plant?: () => void;
  /** What steps do much of, so that the defect shows soon. */
  readonly focus: readonly Instruction[];
}

const DEFECTS: Readonly<Record<string, Defect>> = {
  "what a field holds": { without: (name) => /^this\.f\d$/.test(name), focus: [] },
  "that a field is not there": {
    without: (name) => name === "this.f2",
    focus: [
      { do: "read", field: "f2" },
      { do: "has", field: "f2" },
      { do: "write", field: "f2" },
    ],
  },
  "whether a field that is set was there": {
    plant: () => void vi.spyOn(ReadLog.prototype, "setFields", "get").mockReturnValue([]),
    focus: [
      { do: "set", field: "f0", value: 1 },
      { do: "undefine", field: "f0" },
      { do: "delete", field: "f0" },
    ],
  },
  "a parameter": { without: (name) => name === "this.p0", focus: [{ do: "read", field: "p0" }] },
  "a constant": { without: (name) => name === "this.kept", focus: [] },
  "the list that is split": { without: (name) => name === "this.items", focus: [{ do: "push", field: "items" }] },
  "the inputs of a join": {
    plant: () => void vi.spyOn(ReadLog.prototype, "inputRead").mockReturnValue(),
    focus: [
      { do: "inputs", field: "f0" },
      { do: "input", index: 1, field: "f0" },
      { do: "write", field: "f0" },
    ],
  },
  "what was there before the split": {
    without: (name) => name.startsWith("inputs.before."),
    focus: [
      { do: "before", field: "f0" },
      { do: "write", field: "f0" },
      { do: "read", field: "p0" },
    ],
  },
  "what is merged": {
    without: (name) => name.startsWith("inputs.merge"),
    focus: [{ do: "merge" }, { do: "write", field: "f0" }, { do: "read", field: "p0" }],
  },
  "whether an upstream has a run": {
    without: (name) => name === "this.source",
    focus: [{ do: "upstream", part: "data", name: "rows" }],
  },
  "an artifact of an upstream": {
    without: (name) => /^this\.source\.data\.\w+$/.test(name),
    focus: [{ do: "upstream", part: "data", name: "rows" }],
  },
  "whether an upstream has an artifact": {
    without: (name) => name.endsWith("?"),
    focus: [
      { do: "upstream", part: "has", name: "more" },
      { do: "write", field: "f0" },
    ],
  },
  "the list of an upstream's artifacts": {
    without: (name) => name.endsWith(".*"),
    focus: [
      { do: "upstream", part: "names", name: "more" },
      { do: "write", field: "f0" },
    ],
  },
  "a fact of an upstream": {
    without: (name) => name.startsWith("this.source.run."),
    focus: [{ do: "upstream", part: "name", name: "rows" }],
  },
  "where the task stands": {
    without: (name) => name === "current.path" || name === "current.index",
    focus: [
      { do: "current", fact: "index" },
      { do: "write", field: "f0" },
    ],
  },
  "tags of the run": {
    without: (name) => name === "current.run.tags",
    focus: [
      { do: "current", fact: "tags" },
      { do: "write", field: "f0" },
    ],
  },
  "the class": {
    without: (name) => name === "current.run.flow",
    focus: [{ do: "class" }, { do: "write", field: "f0" }],
  },
  "that a step asks for what no key says": {
    plant: () => void vi.spyOn(ReadLog.prototype, "unknownRead").mockReturnValue(),
    focus: [{ do: "keys" }, { do: "write", field: "f0" }],
  },
};

const { random } = seeded("step-cache-random");
/** A third of them, other ones each time, or as many as are asked for. */
const planted = sample(Object.entries(DEFECTS), times(6, Object.keys(DEFECTS).length), random);

describe("the same property finds, when left out of the keys,", () => {
  test.each(planted)("%s", { timeout: 120_000 }, async (_, { without, plant, focus }) => {
    const { read } = ReadLog.prototype;
    plant?.();
    vi.spyOn(ReadLog.prototype, "read").mockImplementation(function (this: ReadLog, name) {
      if (without?.(name) !== true) read.call(this, name);
    });
    const count = { cached: 0, runs: 0 };
    const found = await fc.check(isTransparent(count, focus), { numRuns: 300, endOnFailure: true });
    expect(found.failed, `not found in ${found.numRuns} tries`).toBe(true);
  });
});
