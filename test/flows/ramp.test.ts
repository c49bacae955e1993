/** The ramp of examples: each is run as its first comment says, and must print what stands behind the `#` there. */
import fs from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { FLOWS, Workplace } from "./workplace.ts";

interface Example {
  /** As `from -> to`. */
  readonly edges: readonly string[];
  /** What `flow graph` prints below the name of the flow. */
  readonly graph: string;
  readonly flow: string;
  /** What `flow check` counts. */
  readonly check: string;
}

const examples: Readonly<Record<string, Example>> = {
  "01-hello/hello.ts": {
    flow: "Hello",
    check: "2 steps, 0 parameters, 0 upstreams",
    edges: ["start -> end"],
    graph: "start  → end\nend",
  },
  "02-branch/branch.ts": {
    flow: "Tide",
    check: "5 steps, 0 parameters, 0 upstreams",
    edges: ["start -> ebb", "start -> flood", "ebb -> meet", "flood -> meet", "meet -> end"],
    graph: "start  → ebb, flood\nebb    → meet\nflood  → meet\nmeet   join ebb, flood → end\nend",
  },
  "03-foreach/foreach.ts": {
    flow: "Grind",
    check: "4 steps, 0 parameters, 0 upstreams",
    edges: ["start -> grind", "grind -> weigh", "weigh -> end"],
    graph: "start    foreach sacks → grind\n│ grind  → weigh\nweigh    join items of start → end\nend",
  },
  "04-parameters/parameters.ts": {
    flow: "Belt",
    check: "2 steps, 2 parameters, 0 upstreams",
    edges: ["start -> end"],
    graph: "start  → end\nend",
  },
  "05-choose/choose.ts": {
    flow: "Sluice",
    check: "4 steps, 1 parameter, 0 upstreams",
    edges: ["start -> turn", "start -> close", "turn -> end", "close -> end"],
    graph: "start  choose on water: normal → turn, high → close\nturn   → end\nclose  → end\nend",
  },
  // The second of two files reads what the first has left: this order, one store.
  "06-upstream/harvest.ts": {
    flow: "Harvest",
    check: "2 steps, 1 parameter, 0 upstreams",
    edges: ["start -> end"],
    graph: "start  → end\nend",
  },
  "06-upstream/bake.ts": {
    flow: "Bake",
    check: "2 steps, 0 parameters, 1 upstream",
    edges: ["start -> end"],
    graph: "start  → end\nend",
  },
  "07-wide/wide.ts": {
    flow: "Wide",
    check: "4 steps, 1 parameter, 0 upstreams",
    edges: ["start -> weigh", "weigh -> total", "total -> end"],
    graph: "start    foreach sacks → weigh\n│ weigh  → total\ntotal    join items of start → end\nend",
  },
};

interface GraphEdge {
  readonly from: string;
  readonly to: string;
}

/** Commands of the comments that are there to be refused, with their exit code. */
const refused: Readonly<Record<string, number>> = { "run parameters.ts --turns many": 2 };

const places = new Map<string, Workplace>();
afterAll(() => {
  for (const place of places.values()) place[Symbol.dispose]();
});

test("the ramp is whole: each example of the folders 01 to 07 is tried, and is in the table of the README", () => {
  const files = fs
    .readdirSync(FLOWS)
    .filter((folder) => /^\d\d-/.test(folder))
    .flatMap((folder) => fs.readdirSync(path.join(FLOWS, folder)).map((file) => `${folder}/${file}`));
  expect(Object.keys(examples).sort()).toEqual(files.sort());
  const readme = fs.readFileSync(path.join(FLOWS, "README.md"), "utf8");
  for (const file of files) expect(readme).toContain(`(${file})`);
});

describe.each(Object.entries(examples))("%s", (file, example) => {
  const [folder, name] = file.split("/") as [string, string];

  test("does what its comment says", async () => {
    const place = placeOf(folder);
    const promises = promisesOf(file);
    expect(promises.some(({ command }) => command.startsWith(`run ${name}`))).toBe(true);
    for (const { command, printed } of promises) {
      const { stdout, stderr } = await place.expect(refused[command] ?? 0, command);
      expect(printed, `flow ${command} promises something`).not.toBe("");
      expect(flat(stdout + stderr), `flow ${command}`).toContain(flat(printed));
    }
  });

  test("is drawn as text, dot and mermaid, and passes the check", async () => {
    using place = new Workplace(folder);
    const [check, text, dot, mermaid, json] = await Promise.all([
      place.expect(0, `check ${name}`),
      place.expect(0, `graph ${name}`),
      place.expect(0, `graph ${name} --format dot`),
      place.expect(0, `graph ${name} --format mermaid`),
      place.expect(0, `graph ${name} --json`),
    ]);
    expect(check.stdout).toBe(`✓ ${example.flow}: ${example.check}\n`);
    expect(text.stdout.trimEnd()).toBe(`${example.flow}\n\n${example.graph}`);
    expect(dot.stdout).toContain(`digraph "${example.flow}" {`);
    expect(dotEdges(dot.stdout)).toEqual([...example.edges].sort());
    expect(mermaid.stdout).toMatch(/^flowchart LR\n/);
    expect(mermaidEdges(mermaid.stdout)).toEqual([...example.edges].sort());
    expect(json.lines[0].flow.name).toBe(example.flow);
    expect(json.lines[0].edges.map(({ from, to }: GraphEdge) => `${from} -> ${to}`).sort()).toEqual(
      [...example.edges].sort(),
    );
    expect(fs.existsSync(place.store), "drawing makes no store").toBe(false);
  });
});

test("what Bake has read is recorded: the newest harvest, then the one that the tag names", async () => {
  const place = placeOf("06-upstream");
  const [newest, tagged] = await Promise.all([
    place.expect(0, "show Bake/1 --json"),
    place.expect(0, "show Bake/2 --json"),
  ]);
  expect(newest.lines[0].upstreams).toMatchObject([
    { name: "harvest", run: "Harvest/2", selector: { kind: "newest" } },
  ]);
  expect(tagged.lines[0].upstreams).toMatchObject([
    { name: "harvest", run: "Harvest/1", selector: { tags: ["best:year"] }, reads: [{ name: "sacks" }] },
  ]);
  const sacks = (await place.expect(0, "dump Harvest@best:year sacks --json")).lines[0];
  expect(sacks).toMatchObject({ of: "Harvest/1", value: 72 });
  expect(tagged.lines[0].upstreams[0].reads[0].digest).toBe(sacks.digest);
});

/** One folder and store for each example: harvest and bake share theirs. */
function placeOf(folder: string): Workplace {
  const place = places.get(folder) ?? new Workplace(folder);
  places.set(folder, place);
  return place;
}

/** `flow …` lines of a file's first comment, with what they print; what stands in brackets there is explanation. */
function promisesOf(file: string): readonly { readonly command: string; readonly printed: string }[] {
  const [comment] = /\/\*\*.*?\*\//s.exec(fs.readFileSync(path.join(FLOWS, file), "utf8")) ?? [""];
  return [...comment.matchAll(/^ \* {5}flow (.+)$/gm)].map(([, line]) => {
    const [command, printed = ""] = line!.split("#");
    return { command: command!.trim(), printed: printed.replace(/\([^)]*\)\s*$/, "").trim() };
  });
}

/** Columns are as wide as what stands in them. */
function flat(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}

function dotEdges(text: string): readonly string[] {
  return [...text.matchAll(/"(\w+)" -> "(\w+)"/g)].map(([, from, to]) => `${from} -> ${to}`).sort();
}

function mermaidEdges(text: string): readonly string[] {
  const names = new Map([...text.matchAll(/^ +(s\d+)[[({/\\>]+"(\w+)/gm)].map(([, id, name]) => [id, name]));
  return [...text.matchAll(/^ {2}(s\d+) -\S+> ?(?:\|"[^"]*"\| ?)?(s\d+)$/gm)]
    .map(([, from, to]) => `${names.get(from)} -> ${names.get(to)}`)
    .sort();
}
