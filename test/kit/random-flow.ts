/**
 * Random well-formed flows, and what it means to run them, said without a scheduler.
 *
 * A flow is built from nested parts: steps, sequences, branches, foreachs, choices and loops. Each part is written out as
 * steps, and knows by plain recursion which tasks there must be, what each of them starts with and what its join gets.
 * What a choice decides and how many items there are depends on the step and the task's path alone.
 */
import fc from "fast-check";
import type { ShortStep } from "./flow-of.ts";

export type Part =
  | { readonly kind: "step" }
  /** When fused, a join of one part is also the step that begins the next: it fans out, forks or chooses. */
  | { readonly kind: "sequence"; readonly parts: readonly Part[]; readonly isFused: boolean }
  | { readonly kind: "branch"; readonly parts: readonly Part[] }
  | { readonly kind: "foreach"; readonly body: Part; readonly sizes: readonly number[] }
  /** An arm without a part leads straight on. */
  | { readonly kind: "choice"; readonly arms: readonly (Part | undefined)[]; readonly merge: Merge }
  | {
      readonly kind: "loop";
      readonly body: Part;
      /** With it, a choice in the middle of the body may leave the loop before this part. */
      readonly rest: Part | undefined;
      readonly rounds: readonly number[];
      /** What the choice at the end may do besides: begin the next round of the loop around, or leave that one too. */
      readonly jump: "none" | "repeat" | "leave";
      readonly merge: Merge;
    };

/** How the ways of a choice come together: in whatever follows, in a step, or in a join. */
type Merge = "none" | "step" | "join";

const merge = fc.constantFrom<Merge>("none", "step", "join");

/** Parts that are nested up to some depth. */
export function randomPart(): fc.Arbitrary<Part> {
  return fc.letrec<{ part: Part }>((tie) => ({
    part: fc.oneof(
      { maxDepth: 5, depthSize: "medium", withCrossShrink: true },
      fc.constant<Part>({ kind: "step" }),
      fc.record({
        kind: fc.constant("sequence" as const),
        parts: fc.array(tie("part"), { minLength: 2, maxLength: 3 }),
        isFused: fc.boolean(),
      }),
      fc.record({
        kind: fc.constant("branch" as const),
        parts: fc.array(tie("part"), { minLength: 2, maxLength: 3 }),
      }),
      fc.record({
        kind: fc.constant("foreach" as const),
        body: tie("part"),
        sizes: fc.array(fc.nat(3), { minLength: 1, maxLength: 3 }),
      }),
      fc.record({
        kind: fc.constant("choice" as const),
        arms: fc.array(fc.option(tie("part"), { nil: undefined }), { minLength: 2, maxLength: 3 }),
        merge,
      }),
      fc.record({
        kind: fc.constant("loop" as const),
        body: tie("part"),
        rest: fc.option(tie("part"), { nil: undefined }),
        rounds: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 2 }),
        jump: fc.constantFrom("none" as const, "repeat" as const, "leave" as const),
        merge,
      }),
    ),
  })).part;
}

/** What a task must be started with; tasks are named `step/path`. */
export interface ExpectedTask {
  readonly inherits?: string;
  readonly item?: { readonly split: string; readonly index: number };
  readonly inputs?: readonly string[];
  readonly before?: string;
}

export interface RandomFlow {
  readonly steps: Readonly<Record<string, ShortStep>>;
  readonly expected: ReadonlyMap<string, ExpectedTask>;
  /** What a task of a step at a path reports. */
  outcome(step: string, path: string): { readonly fanOut?: number; readonly choice?: string };
}

/** A flow of one part between a start and an end. */
export function writeFlow(part: Part): RandomFlow {
  const writer = new Writer();
  writer.add("start", {});
  const written = writer.write(part, { hasLoop: false, maySplitJoin: true });
  writer.lead([{ step: "start" }], written.first);
  writer.add("end", {});
  writer.lead(written.last, "end");
  const expected = new Map<string, ExpectedTask>([["start/", {}]]);
  const declared = Object.keys(writer.steps);
  const token = written.run({ path: "" }, "start/", { expected, declared });
  expected.set("end/", { inherits: token.task });
  return {
    steps: writer.steps,
    expected,
    outcome: (step, path) => writer.outcomes.get(step)?.(path) ?? {},
  };
}

/** A loose end: a step that leads on, or a case of a choose that does. */
interface End {
  readonly step: string;
  readonly case?: string;
}

interface Place {
  readonly path: string;
  /** For the first step of what runs here, when it is the target of a foreach. */
  readonly item?: ExpectedTask["item"];
}

/** A task that leads on; or that goes on with the loop around, or behind that. */
interface Token {
  readonly task: string;
  readonly jump?: "repeat" | "leave";
}

interface Log {
  readonly expected: Map<string, ExpectedTask>;
  readonly declared: readonly string[];
}

interface Written {
  readonly first: string;
  readonly last: readonly End[];
  readonly jumps: { readonly repeat: readonly End[]; readonly leave: readonly End[] };
  readonly run: (place: Place, from: string, log: Log) => Token;
}

interface Around {
  /** Whether the next thing around is a loop, without a branch or a foreach in between. */
  readonly hasLoop: boolean;
  /** Whether no foreach is open since the top or since the loop around: there a join may bring arms together. */
  readonly maySplitJoin: boolean;
}

const NO_JUMPS = { repeat: [], leave: [] } as const;
const stepOf = (task: string): string => task.slice(0, task.indexOf("/"));

/** A number that depends on the text alone. */
function hash(text: string): number {
  let value = 7;
  for (const character of text) value = (value * 31 + character.charCodeAt(0)) % 1_000_003;
  return value;
}

class Writer {
  readonly steps: Record<string, { -readonly [K in keyof ShortStep]: ShortStep[K] }> = {};
  readonly outcomes = new Map<string, (path: string) => { fanOut?: number; choice?: string }>();

  add(name: string, facts: ShortStep): string {
    this.steps[name] = { ...facts };
    return name;
  }

  fresh(kind: string, facts: ShortStep = {}): string {
    return this.add(`${kind}${Object.keys(this.steps).length}`, facts);
  }

  lead(ends: readonly End[], to: string): void {
    for (const { step, case: value } of ends) {
      const next = this.steps[step]!.next;
      this.steps[step]!.next =
        value === undefined ? [...((next ?? []) as readonly string[]), to] : { ...(next as object), [value]: to };
    }
  }

  /** @param host a step that is there already and begins the part */
  write(part: Part, around: Around, host?: string): Written {
    switch (part.kind) {
      case "step": {
        const step = this.fresh("step");
        const run: Written["run"] = (place, from, log) => ({ task: enter(log, step, place, from) });
        return { first: step, last: [{ step }], jumps: NO_JUMPS, run };
      }
      case "sequence":
        return this.#sequence(part, around);
      case "branch":
        return this.#branch(part.parts, host);
      case "foreach":
        return this.#foreach(part, host);
      case "choice":
        return this.#choice(part, around, host);
      case "loop":
        return this.#loop(part, around);
    }
  }

  #sequence({ parts, isFused }: Extract<Part, { kind: "sequence" }>, around: Around): Written {
    const written: Written[] = [];
    for (const part of parts) {
      const last = written.at(-1)?.last ?? [];
      const host = isFused && last.length === 1 && mayBeginWithJoin(part) ? last[0]!.step : undefined;
      const isHosted = host !== undefined && this.steps[host]!.join === true && this.steps[host]!.next === undefined;
      written.push(this.write(part, around, isHosted ? host : undefined));
      if (!isHosted) this.lead(last, written.at(-1)!.first);
    }
    return {
      first: written[0]!.first,
      last: written.at(-1)!.last,
      jumps: jumpsOf(written),
      run: (place, from, log) => {
        let token: Token = { task: from };
        for (const [index, each] of written.entries()) {
          token = each.run(index === 0 ? place : { path: place.path }, token.task, log);
          if (token.jump !== undefined) break;
        }
        return token;
      },
    };
  }

  #branch(parts: readonly Part[], host: string | undefined): Written {
    const fork = host ?? this.fresh("fork");
    const branches = parts.map((part) => this.write(part, { hasLoop: false, maySplitJoin: false }));
    const join = this.fresh("join", { join: true });
    for (const { first, last } of branches) {
      this.lead([{ step: fork }], first);
      this.lead(last, join);
    }
    return {
      first: fork,
      last: [{ step: join }],
      jumps: NO_JUMPS,
      run: (place, from, log) => {
        const before = host === undefined ? enter(log, fork, place, from) : from;
        const inputs = branches.map((branch) => branch.run({ path: place.path }, before, log).task);
        return { task: meet(log, join, place.path, inputs, before) };
      },
    };
  }

  #foreach({ body, sizes }: Extract<Part, { kind: "foreach" }>, host: string | undefined): Written {
    const split = host ?? this.fresh("split");
    this.steps[split]!.foreach = "items";
    const inside = this.write(body, { hasLoop: false, maySplitJoin: false });
    const gather = this.fresh("gather", { join: true });
    this.lead([{ step: split }], inside.first);
    this.steps[inside.first]!.arity = 2;
    this.lead(inside.last, gather);
    const sizeAt = (path: string): number => sizes[hash(path) % sizes.length]!;
    this.outcomes.set(split, (path) => ({ fanOut: sizeAt(path) }));
    return {
      first: split,
      last: [{ step: gather }],
      jumps: NO_JUMPS,
      run: (place, from, log) => {
        const task = host === undefined ? enter(log, split, place, from) : from;
        const inputs = Array.from({ length: sizeAt(place.path) }, (_, index) => {
          const path = place.path === "" ? `${index}` : `${place.path}.${index}`;
          return inside.run({ path, item: { split: task, index } }, task, log).task;
        });
        log.expected.set(`${gather}/${place.path}`, { inputs, before: task });
        return { task: `${gather}/${place.path}` };
      },
    };
  }

  #choice({ arms, merge }: Extract<Part, { kind: "choice" }>, around: Around, host: string | undefined): Written {
    const choose = host ?? this.fresh("choose");
    this.steps[choose]!.next = {};
    const ways = arms.map((arm) => (arm === undefined ? undefined : this.write(arm, around)));
    const last = ways.flatMap((way, index): readonly End[] => {
      const end = { step: choose, case: `${index}` };
      if (way === undefined) return [end];
      this.lead([end], way.first);
      return way.last;
    });
    const chosen = (path: string): number => hash(`${choose}/${path}`) % arms.length;
    this.outcomes.set(choose, (path) => ({ choice: `${chosen(path)}` }));
    const merged = this.#merge(last, merge, around);
    return {
      first: choose,
      last: merged.last,
      jumps: jumpsOf(ways.filter((way) => way !== undefined)),
      run: (place, from, log) => {
        const task = host === undefined ? enter(log, choose, place, from) : from;
        const way = ways[chosen(place.path)];
        const token = way === undefined ? { task } : way.run({ path: place.path }, task, log);
        return token.jump === undefined ? merged.run(token, place.path, task, log) : token;
      },
    };
  }

  #loop({ body, rest, rounds, jump, merge }: Extract<Part, { kind: "loop" }>, around: Around): Written {
    const inside = { hasLoop: true, maySplitJoin: true };
    // Two loops that begin with the same step are one.
    const first = this.write(
      beginsWithLoop(body) ? { kind: "sequence", parts: [{ kind: "step" }, body], isFused: false } : body,
      inside,
    );
    const check = rest === undefined ? undefined : this.fresh("check", { next: {} });
    const second = rest === undefined ? undefined : this.write(rest, inside);
    // A body of one step may be its own choice: the shortest loop there is.
    const isOne = body.kind === "step" && rest === undefined && rounds.length === 1;
    const latch = isOne ? first.first : this.fresh("latch", { next: {} });
    if (isOne) this.steps[latch]!.next = {};
    const jumps = jumpsOf(second === undefined ? [first] : [first, second]);
    if (check !== undefined && second !== undefined) {
      this.lead(first.last, check);
      this.lead([{ step: check, case: "stay" }], second.first);
      this.lead(second.last, latch);
    } else if (!isOne) this.lead(first.last, latch);
    this.lead([{ step: latch, case: "again" }, ...jumps.repeat], first.first);
    const exits: readonly End[] = [
      ...(check === undefined ? [] : [{ step: check, case: "leave" }]),
      { step: latch, case: "done" },
    ];
    const mayJump = jump !== "none" && around.hasLoop;
    const isLeft = (path: string): boolean => hash(`${check}/${path}`) % 4 === 0;
    const decide = (path: string): string => {
      if (roundOf(path) + 1 < rounds[hash(outside(path)) % rounds.length]!) return "again";
      // The loop around must come to an end as well.
      return mayJump && roundOf(outside(path)) < 3 && hash(path) % 3 === 0 ? jump : "done";
    };
    if (check !== undefined) this.outcomes.set(check, (path) => ({ choice: isLeft(path) ? "leave" : "stay" }));
    this.outcomes.set(latch, (path) => ({ choice: decide(path) }));
    // What an inner loop leaves through both makes further ways out; a join of them would have another split.
    const merged = this.#merge(
      [...exits, ...jumps.leave],
      jumps.leave.length > 0 && merge === "join" ? "step" : merge,
      around,
    );
    return {
      first: first.first,
      last: merged.last,
      jumps: {
        repeat: mayJump && jump === "repeat" ? [{ step: latch, case: "repeat" }] : [],
        leave: mayJump && jump === "leave" ? [{ step: latch, case: "leave" }] : [],
      },
      run: (place, from, log) => {
        let source = from;
        for (let round = 0; ; round++) {
          const path = `${place.path}~${round}`;
          const here = { path, ...(place.item === undefined ? {} : { item: place.item }) };
          let token = first.run(here, source, log);
          if (token.jump === undefined && check !== undefined && second !== undefined) {
            const task = enter(log, check, { path }, token.task);
            if (isLeft(path)) return merged.run({ task }, place.path, task, log);
            token = second.run({ path }, task, log);
          }
          source = token.task;
          if (token.jump === "leave") return merged.run({ task: source }, place.path, undefined, log);
          if (token.jump === "repeat") continue;
          if (!isOne) source = enter(log, latch, { path }, source);
          const choice = decide(path);
          if (choice === "again") continue;
          if (choice === "repeat" || choice === "leave") return { task: source, jump: choice };
          return merged.run({ task: source }, place.path, check && `${check}/${path}`, log);
        }
      },
    };
  }

  /** Brings exclusive loose ends together, where the place allows it. */
  #merge(
    ends: readonly End[],
    kind: Merge,
    around: Around,
  ): {
    readonly last: readonly End[];
    readonly run: (token: Token, path: string, before: string | undefined, log: Log) => Token;
  } {
    const isJoin = kind === "join" && around.maySplitJoin && new Set(ends.map(({ step }) => step)).size > 1;
    if (kind === "none" || (kind === "join" && !isJoin)) return { last: ends, run: (token) => token };
    const step = this.fresh(isJoin ? "merge" : "after", isJoin ? { join: true } : {});
    this.lead(ends, step);
    return {
      last: [{ step }],
      run: ({ task }, path, before, log) => ({
        task: isJoin ? meet(log, step, path, [task], before) : enter(log, step, { path }, task),
      }),
    };
  }
}

function beginsWithLoop(part: Part): boolean {
  return part.kind === "loop" || (part.kind === "sequence" && beginsWithLoop(part.parts[0]!));
}

function mayBeginWithJoin(part: Part): boolean {
  return part.kind === "branch" || part.kind === "foreach" || part.kind === "choice";
}

/** A task that goes on from one other. */
function enter(log: Log, step: string, { path, item }: Place, inherits: string): string {
  const task = `${step}/${path}`;
  if (log.expected.has(task)) throw new Error(`The task ${task} would run twice`);
  log.expected.set(task, { inherits, ...(item === undefined ? {} : { item }) });
  return task;
}

/** A join of branches gets them in the order in which their steps are declared. */
function meet(log: Log, step: string, path: string, tasks: readonly string[], before: string | undefined): string {
  const place = (task: string): number => log.declared.indexOf(stepOf(task));
  const inputs = tasks.toSorted((left, right) => place(left) - place(right));
  log.expected.set(`${step}/${path}`, { inputs, ...(before === undefined ? {} : { before }) });
  return `${step}/${path}`;
}

function jumpsOf(parts: readonly Written[]): Written["jumps"] {
  return {
    repeat: parts.flatMap(({ jumps }) => jumps.repeat),
    leave: parts.flatMap(({ jumps }) => jumps.leave),
  };
}

const roundOf = (path: string): number => Number(/~(\d+)$/.exec(path)?.[1] ?? 0);
const outside = (path: string): string => path.replace(/~\d+$/, "");
