/**
 * Every shape of a graph with every behaviour, in threads and in processes: what ran, how each attempt ended and what the
 * end left must be what a model without a scheduler says, for the client in this process and for the command in its own.
 *
 * By default a sample that its seed decides; `MILLRACE_MATRIX=all` runs everything, any other text what has it in
 * its name (`Foreach resumed`: both words).
 */
import { afterAll, describe, expect, test } from "vitest";
import { seededRandom } from "../../../packages/core/src/flow/random.ts";
import { sample, seeded } from "../../kit/seed.ts";
import { BEHAVIOURS, type Behaviour } from "./behaviours.ts";
import { Matrix, type Place, type Seen } from "./matrix-run.ts";
import { type Conduct, plainTasks, predict, shortName } from "./model.ts";
import { SHAPES, type Shape } from "./shapes.ts";

interface Cell {
  readonly shape: Shape;
  readonly behaviour: Behaviour;
  readonly place: Place;
}

const { seed, random } = seeded("matrix");
const cells = SHAPES.flatMap((shape) =>
  BEHAVIOURS.flatMap((behaviour) =>
    (["thread", "process"] as const).map((place): Cell => ({ shape, behaviour, place })),
  ),
);
const chosen = asked(process.env.MILLRACE_MATRIX);
console.log(
  `matrix: ${chosen.length} of ${cells.length} cells (${SHAPES.length} shapes, ${BEHAVIOURS.length} behaviours)`,
);

const matrix = new Matrix(String(seed));
const ran: { readonly cell: Cell; readonly seen: Seen }[] = [];
afterAll(() => matrix.project[Symbol.asyncDispose]());

function asked(words: string | undefined): readonly Cell[] {
  if (words === undefined) return chooseCells();
  if (words === "all") return cells;
  return cells.filter(({ shape, behaviour, place }) =>
    words.split(" ").every((word) => `${shape.name} ${behaviour.name} ${place}`.includes(word)),
  );
}

/** Each behaviour and each shape in threads, and some of all in processes: other ones each time. */
function chooseCells(): readonly Cell[] {
  const inThreads = cells.filter(({ place }) => place === "thread");
  const chosen = new Set(
    sample(
      cells.filter(({ place }) => place === "process"),
      6,
      random,
    ),
  );
  const choose = (fits: (cell: Cell) => boolean): void => {
    for (const cell of sample(inThreads.filter(fits), 1, random)) chosen.add(cell);
  };
  for (const behaviour of BEHAVIOURS) choose((cell) => cell.behaviour === behaviour);
  const shown = new Set([...chosen].flatMap(({ shape, place }) => (place === "thread" ? [shape] : [])));
  for (const shape of SHAPES) if (!shown.has(shape)) choose((cell) => cell.shape === shape);
  return cells.filter((cell) => chosen.has(cell));
}

/** One plain task of a shape: which one, the seed decides. */
function targetOf({ shape, behaviour }: Cell): string {
  if (behaviour.hasTarget !== true) return "";
  const plain = plainTasks(shape);
  return plain[Math.floor(random() * plain.length)]!;
}

describe.each(SHAPES.filter((shape) => chosen.some((cell) => cell.shape === shape)))("$name", (shape) => {
  const own = chosen.filter((cell) => cell.shape === shape).map((cell) => ({ cell, target: targetOf(cell) }));
  test.each(own.map((each) => [`${each.cell.behaviour.name} (${each.cell.place}) ${each.target}`, each] as const))(
    "%s",
    async (_, { cell, target }) => {
      const seen = await matrix.run(shape, cell.behaviour, cell.place, target);
      ran.push({ cell, seen });
      expectPredicted(cell, target, seen);
    },
  );
});

function expectPredicted({ shape, behaviour }: Cell, target: string, seen: Seen): void {
  const { status = "succeeded", hasCollateral = false, merges = false, tags = [] } = behaviour;
  const plain = new Set(plainTasks(shape));
  const conductOf = (task: string): Conduct => ({
    attempts: ["succeeded"],
    ...behaviour.conduct?.({ isTarget: task === target, isPlain: plain.has(task) }),
    ...(behaviour.mode === "random" ? { adds: numbersOf(seen.id, task) } : {}),
  });
  const predicted = predict(shape, conductOf, { merges });
  expect([seen.status, seen.tags]).toEqual([status, tags]);
  if (behaviour.isResumed) expectResumed(behaviour, predicted.tasks, seen, shortName(target));
  else if (hasCollateral) expectCollateral(predicted.tasks, seen, shortName(target), status);
  else expect(Object.fromEntries(seen.tasks)).toEqual(Object.fromEntries(predicted.tasks));
  for (const row of seen.rows) {
    if (row.error === undefined) continue;
    const { code } = conductOf(row.path === "" ? `${row.step}/` : `${row.step}/${row.path}`);
    expect(row.error.code ?? "FLOW_STEP_FAILED").toBe(code);
  }
  const { trail, common, failure } = predicted.end ?? {};
  if (status === "succeeded")
    expect({ ...seen.end, failure: shortFailure(seen.end?.failure) }).toEqual({ trail, common, failure });
  if (behaviour.mode === "logs") expectLogs(seen);
}

/** All tasks are there and have succeeded in the end, the target as it had to, and nothing was executed without need. */
function expectResumed(
  behaviour: Behaviour,
  predicted: ReadonlyMap<string, readonly string[]>,
  seen: Seen,
  target: string,
): void {
  expect([...seen.tasks.keys()].toSorted()).toEqual([...predicted.keys()].toSorted());
  expect([target, seen.tasks.get(target)]).toEqual([target, predicted.get(target)]);
  for (const [task, attempts] of seen.tasks) {
    const before = behaviour.hasCollateral || task === target ? ["failed", "cancelled"] : [];
    expect(attempts.at(-1)).toBe("succeeded");
    for (const attempt of attempts.slice(0, -1)) expect(before).toContain(attempt);
  }
  if (behaviour.mode !== "mend") return;
  const executed = Object.groupBy(matrix.executed(), shortName);
  for (const [task, attempts] of seen.tasks)
    if (!behaviour.hasCollateral) expect([task, executed[task]?.length]).toEqual([task, attempts.length]);
}

/** The target ended as it had to, what needs it never began, and the others did well or were cancelled because of it. */
function expectCollateral(
  predicted: ReadonlyMap<string, unknown>,
  seen: Seen,
  target: string,
  status: "succeeded" | "failed" | "cancelled",
): void {
  expect([target, seen.tasks.get(target)]).toEqual([target, predicted.get(target)]);
  for (const row of seen.rows) {
    const task = row.path === "" ? row.step : `${row.step}/${row.path}`;
    expect(predicted.has(task)).toBe(true);
    if (task === target && status === "failed") continue;
    expect(["succeeded", "cancelled"]).toContain(row.status);
    if (row.status === "cancelled")
      expect(row.cancelledBy).toBe(status === "failed" ? `${seen.run}/${target} failed` : "the test cancels it");
  }
}

/** The same numbers as in every attempt, on every machine. */
function numbersOf(id: string, task: string): readonly string[] {
  const slash = task.indexOf("/");
  const draw = seededRandom(`millrace:1:${id}:${task.slice(0, slash)}:${task.slice(slash + 1)}`);
  return [String(draw()), String(draw())];
}

function shortFailure(failure: unknown): unknown {
  if (failure === undefined) return undefined;
  const { code, attempts } = failure as { readonly code: unknown; readonly attempts: unknown };
  return { code, attempts };
}

/** Each attempt wrote its line, and every line is shown as that of its attempt. */
function expectLogs({ events, rows }: Seen): void {
  const shown = events.flatMap((event) =>
    event.kind === "task.output" ? [`${event.step}/${event.path}#${event.attempt} ${event.text}`] : [],
  );
  const written = rows.map(
    ({ step, path, attempt }) => `${step}/${path}#${attempt} attempt ${attempt} of ${step}/${path}\n`,
  );
  expect(shown.toSorted()).toEqual(written.toSorted());
}

describe("the command", () => {
  test("lists all of these runs as the client does", async () => {
    const { lines, stderr } = await matrix.project.flow(["runs", "--limit", "100000", "--json"]);
    expect(stderr).toBe("");
    const listed = new Map(lines.map((line) => [line.id, [line.run, line.status, line.tags]]));
    for (const { seen } of ran) expect(listed.get(seen.id)).toEqual([seen.run, seen.status, seen.tags]);
  });

  test("shows a sample of them, and the values of their ends, as the client does", async () => {
    for (const { seen } of sample(ran, 5, random)) {
      const [show, dump] = await Promise.all([
        matrix.project.flow(["show", seen.run, "--json"]),
        matrix.project.flow(["dump", seen.run, "--json"]),
      ]);
      const last = [...seen.tasks.values()].map((attempts) => attempts.at(-1)!);
      const byStatus = Object.fromEntries(
        Object.entries(Object.groupBy(last, (status) => status)).map(([status, all]) => [status, all!.length]),
      );
      expect(show.lines[0]).toMatchObject({
        id: seen.id,
        status: seen.status,
        tasks: { total: seen.tasks.size, attempts: seen.rows.length, byStatus },
      });
      if (seen.end === undefined) continue;
      const values = Object.fromEntries(dump.lines.map((line) => [line.name, line.value]));
      expect([values.trail, values.common, values.failure]).toEqual([
        seen.end.trail,
        seen.end.common,
        seen.end.failure,
      ]);
    }
  });
});
