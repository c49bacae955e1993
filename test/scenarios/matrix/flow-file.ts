/** The flow file of a shape: one step method for each step, all of which do what the parameter `mode` says. */
import type { ShortStep } from "../../kit/flow-of.ts";
import type { ItemStyle, Shape } from "./shapes.ts";

/** Files by which a flow says what it has executed, and learns that its fault is mended. */
export const EXECUTED = "executed.log";
export const MENDED = "mended";

/** @param locks a folder in which tasks that must not overlap find out whether they do */
export function flowFile(shape: Shape, locks: string): string {
  const { name, steps, expected, isInherited } = shape;
  const outcomes = Object.fromEntries(
    [...expected.keys()].map((task) => {
      const slash = task.indexOf("/");
      return [task, shape.outcome(task.slice(0, slash), task.slice(slash + 1))];
    }),
  );
  const methods = Object.entries(steps).map(([step, short]) => method(step, short));
  const half = isInherited ? Math.ceil(methods.length / 2) : 0;
  return `import fs from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { around, choose, current, Flow, join, param, step, z } from "@millrace/core";
import { hold } from "./held-step.ts";

const OUTCOMES: Record<string, { fanOut?: number; choice?: string }> = ${JSON.stringify(outcomes)};
const FIRST = ${JSON.stringify([...expected.keys()][0])};
const EXECUTED = ${JSON.stringify(`${locks}/${EXECUTED}`)};
const MENDED = ${JSON.stringify(`${locks}/${MENDED}`)};
const me = () => current.step + "/" + current.path;

const guard = around<any>(async (task, proceed) => {
  const { mode, target } = task.flow;
  const isTarget = target === me();
  if (mode === "skip" && isTarget) return task.skip("not needed");
  if (mode === "replace" && isTarget) { task.flow.trail = [...(task.flow.trail ?? []), "replaced"]; return; }
  await proceed();
  if (mode === "around") task.flow.trail.push("after");
});

${items[shape.items]}

async function work(flow: any, given: readonly any[], kind: "plain" | "item" | "join") {
  const { mode, target } = flow;
  const isTarget = target === me();
  const isFirst = current.attempt === 1;
  const { fanOut, choice } = OUTCOMES[me()]!;
  const isPlain = fanOut === undefined && choice === undefined;
  if (current.task !== current.run.name + "/" + me().replace(/\\/$/, "")) throw new Error("current.task is " + current.task);
  if (kind === "join") {
    const [inputs] = given;
    flow.trail = [...inputs.flatMap((input: any) => input.trail ?? []), "|" + (inputs.before.trail ?? []).length];
    if (mode === "merge" && inputs.some((input: any) => input.common !== undefined)) flow.mergeArtifacts(inputs, { include: ["common"] });
  } else flow.trail ??= [];
  flow.trail.push(me() + (kind === "item" ? "=" + JSON.stringify(given[0]) + "@" + given[1] : ""));
  if (me() === FIRST) flow.common = "c";
  if (mode === "logs") console.log("attempt " + current.attempt + " of " + me());
  if ((mode === "fail-first" || mode === "logs") && isFirst) throw new Error("first attempt");
  if (mode === "fail" && isTarget) throw new Error("the target");
  if (mode === "fail-plain" && isPlain) throw new Error("a plain task");
  if (mode === "exit" && isTarget) process.exit(0);
  if (mode === "exit-first" && isTarget && isFirst) process.exit(3);
  if (mode === "loop-first" && isTarget && isFirst) for (;;);
  if (mode === "hang" && isTarget) await new Promise(() => {});
  if (mode === "hold" && isTarget) await hold(flow.signal);
  if (mode === "environment") flow.trail.push(String(process.env.GREETING));
  if (mode === "random") flow.trail.push(String(current.random()), String(current.random()));
  if (mode === "random" && isFirst) throw new Error("the numbers are the same again");
  if (mode === "one-of-step") await alone(current.step);
  if (mode === "one") await alone("all");
  if (mode === "mend") fs.appendFileSync(EXECUTED, me() + "\\n");
  if (mode === "mend" && isTarget && !fs.existsSync(MENDED)) throw new Error("not mended yet");
  if (fanOut !== undefined) flow.items = itemsOf(fanOut);
  if (choice !== undefined) flow.way = choice;
}

/** Fails when another task is here with the same name. */
async function alone(name: string) {
  const folder = ${JSON.stringify(locks)} + "/" + name;
  fs.mkdirSync(folder);
  await wait(3);
  fs.rmdirSync(folder);
}

${isInherited ? `class Base extends Flow {\n${FIELDS}\n${methods.slice(0, half).join("\n")}\n}\n` : ""}
export default class ${name} extends ${isInherited ? "Base" : "Flow"} {
${isInherited ? "" : FIELDS}
${methods.slice(half).join("\n")}
}
`;
}

const FIELDS = `  readonly mode = param(z.string().default("plain"));
  readonly target = param(z.string().default(""));
  declare trail: string[];
  declare common: string;
  declare items: any;
  declare way: any;
  declare failure: any;`;

const items: Readonly<Record<ItemStyle, string>> = {
  array: `const itemsOf = (count: number) => Array.from({ length: count }, (_, index) => index * 10 + 1);`,
  typed: `const itemsOf = (count: number) => Float32Array.from({ length: count }, (_, index) => index * 10 + 1);`,
  set: `const itemsOf = (count: number) => new Set(Array.from({ length: count }, (_, index) => index * 10 + 1));`,
  map: `const itemsOf = (count: number) => new Map(Array.from({ length: count }, (_, index) => ["key" + index, index * 10 + 1]));`,
  generator: `function* itemsOf(count: number) { for (let index = 0; index < count; index++) yield index * 10 + 1; }`,
  async: `async function* itemsOf(count: number) { for (let index = 0; index < count; index++) { await null; yield index * 10 + 1; } }`,
};

function method(name: string, { next = [], foreach, join = false, arity = 0 }: ShortStep): string {
  const isChoice = typeof next === "object" && !Array.isArray(next);
  const options = [
    ...(isChoice ? [`on: "way"`] : []),
    ...(isChoice && join ? ["join: true"] : []),
    ...(foreach === undefined ? [] : [`foreach: "items"`]),
    ...([next].flat().length === 0 ? [] : [`next: ${JSON.stringify(isChoice ? next : [next].flat())}`]),
  ].join(", ");
  const decorator = isChoice ? "choose" : join ? "join" : "step";
  const kind = join ? "join" : arity > 0 ? "item" : "plain";
  const parameters = { join: "inputs: any", item: "item: any, index: number", plain: "" }[kind];
  const given = { join: "[inputs]", item: "[item, index]", plain: "[]" }[kind];
  return `  @guard @${decorator}({ ${options} }) async ${name}(${parameters}) { await work(this, ${given}, "${kind}"); }`;
}
