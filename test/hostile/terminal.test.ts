/**
 * What others wrote, on a terminal: names, tags, values, logs and errors that would move the cursor, retitle the window,
 * fill the clipboard, turn text around or write over a line. Every command that prints is called on a real terminal, on a
 * store whose rows were made hostile behind its back, and nothing but colours and the display's own moves may come out.
 */
import { createRequire } from "node:module";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { displayWidth, forTerminal, plain } from "../../packages/cli/src/render/text.ts";
import { flowOnTerminal, terminalTest } from "../cli/terminal.ts";
import { Project } from "../kit/project.ts";

/** Title, clipboard, link, cursor, C1, bidi, overwriting, bell, and a reset of the whole terminal. */
const ATTACKS = [
  "\x1b]0;owned\x07",
  "\x1b]52;c;b3duZWQ=\x07",
  "\x1b]8;;https://evil.example\x1b\\here\x1b]8;;\x1b\\",
  "\x1b[2J\x1b[1;1H",
  "\x1b[5A\x1b[0J",
  "\x9b31m\x9d0;owned\x9c\x90",
  "\u202egnp.exe\u202c\u2066\u2069\u200f",
  "safe\rowned",
  "\x07\x08\x08\x7f\0",
  "\x1bc\x1b7\x1b=",
];
const ATTACK = ATTACKS.join("");

const FLOW = `
/** Does ${"\x1b]0;owned\x07"} things. */
import { Flow, param, step, z } from "@millrace/core";
const ATTACK = ${JSON.stringify(ATTACK)};
export default class Evil extends Flow {
  /** A value. ${"\x1b]0;owned\x07 \u202e"} */
  readonly text = param(z.string().default("x"));
  readonly fails = param(z.boolean().default(false));
  evil!: string;
  map!: Map<string, string>;
  @step({ next: "end" }) start() {
    this.evil = this.text;
    this.map = new Map([[ATTACK, ATTACK]]);
    console.log(ATTACK + "\\n\\x1b[31mred\\x1b[0m");
    console.error(ATTACK);
    if (this.fails) throw new (class extends Error { override name = ATTACK })(ATTACK + "\\n" + ATTACK, { cause: new Error(ATTACK) });
  }
  @step() end() {}
}`;

const require = createRequire(new URL("../../packages/core/package.json", import.meta.url));
const Database = require("better-sqlite3") as new (
  file: string,
) => { exec(sql: string): void; prepare(sql: string): { run(...values: unknown[]): void }; close(): void };

let project: Project;
beforeAll(async () => {
  project = new Project({ "evil.ts": FLOW, "params.json": JSON.stringify({ text: `${ATTACK}\n${ATTACK}` }) });
  expect((await project.flow(["run", "evil.ts", "--params", "params.json", "--tag", "t"])).code).toBe(0);
  expect((await project.flow(["run", "evil.ts", "--params", "params.json", "--fails"])).code).toBe(1);
  const db = new Database(`${project.store}/millrace.db`);
  // The rows of a store that somebody else made: no rule of ours holds for them.
  db.prepare("UPDATE run SET project = 'p' || ?, environment = json_set(environment, '$.actor', ?, '$.host', ?)").run(
    ATTACK,
    ATTACK,
    ATTACK,
  );
  db.prepare("UPDATE artifact SET name = name || ?, codec = codec || ? WHERE name = 'evil'").run(ATTACK, ATTACK);
  db.prepare("UPDATE run_tag SET tag = 't' || ?").run(ATTACK);
  // One that knows no digests: what it says is read.
  db.exec("UPDATE run SET start_digest = NULL; UPDATE task SET record_digest = NULL");
  db.exec("UPDATE execution SET end_digest = NULL, program_schema = NULL");
  db.close();
}, 120_000);
afterAll(() => project?.[Symbol.asyncDispose]());

// biome-ignore lint/suspicious/noControlCharactersInRegex: it reads what is written to a terminal.
const OURS = /\x1b\[[0-9;]*m|\r\x1b\[K|\r\x1b\[\d+A\x1b\[0J/g;
const FOREIGN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u061c\u2028\u2029\u202a-\u202e\u2066-\u2069].{0,20}/g;

/** What is left of a text when colours and the moves of our own displays are taken out. */
function foreign(text: string): readonly string[] {
  return text.replaceAll("\r\n", "\n").replaceAll(OURS, "").match(FOREIGN) ?? [];
}

/** Every command that prints what others wrote; a row that no longer fits anything is an error, which prints it too. */
const CALLS: readonly (readonly string[])[] = [
  ["run", "evil.ts", "--params", "params.json", "--fails"],
  ["run", "evil.ts", "--help"],
  ["run", "evil.ts", "--quiet", "--params", "params.json"],
  ["run", `${ATTACK.replaceAll("\0", "")}.ts`],
  ["run", "evil.ts", `--${ATTACK.replaceAll("\0", "")}`, "--tag", ATTACK.replaceAll("\0", "")],
  ["resume", "Evil/2"],
  ["check", "evil.ts"],
  ["graph", "evil.ts"],
  ["build", "evil.ts", "-o", "built.flow"],
  ["runs"],
  ["runs", ATTACK.replaceAll("\0", "")],
  ["show", "Evil/1"],
  ["show", "Evil/2"],
  ["show", "Evil/2/start"],
  ["logs", "Evil/2"],
  ["logs", "Evil/2", "-t"],
  ["dump", "Evil/1"],
  ["dump", "Evil/1", "map"],
  ["dump", "Evil/1", "text"],
  ["dump", "Evil/1", "--json"],
  ["step", "Evil/1/end"],
  ["validate", "Evil/1"],
  ["tag", "list"],
  ["tag", "list", "Evil/1"],
  ["tag", "add", "Evil/1", "x", "--reason", ATTACK.replaceAll("\0", "")],
  ["tag", "remove", "Evil/1", "x"],
  ["doctor", "--store", ATTACK.replaceAll("\0", "")],
  [ATTACK.replaceAll("\0", "")],
];

describe("on a terminal nothing of what others wrote gets through", () => {
  terminalTest.each(CALLS.map((words) => [words.map((word) => plain(word).slice(0, 30)).join(" "), words] as const))(
    "flow %s",
    async (_, words) => {
      const { text } = await flowOnTerminal(words, { cwd: project.folder, columns: 100 });
      expect(text.length).toBeGreaterThan(10);
      expect(foreign(text)).toEqual([]);
      expect(text).not.toMatch(/^\s+at .*(?:packages|dist)\//m);
    },
  );

  terminalTest("unless it is asked for: --raw and -o -", async () => {
    const raw = await flowOnTerminal(["logs", "Evil/2/start", "--raw"], { cwd: project.folder });
    expect(raw.text).toContain("\x1b]0;owned\x07");
    const bytes = await flowOnTerminal(["dump", "Evil/1.text", "-o", "-"], { cwd: project.folder });
    expect(bytes.text).toContain("\x1b]0;owned\x07");
  });

  test("and elsewhere a line of a table stays one line", async () => {
    const text = (await project.flow(["runs"])).stdout;
    // One title and the runs of the store, whatever their parameters hold.
    expect(text.trimEnd().split("\n").length).toBe(1 + (await (await project.stores()).metadata.countRuns({})));
  });
});

test("the last wall lets colours and text through, and nothing else", () => {
  expect(forTerminal("a\x1b[31mb\x1b[0m\tc\nd é日本")).toBe("a\x1b[31mb\x1b[0m\tc\nd é日本");
  for (const attack of ATTACKS) expect(foreign(forTerminal(`${attack}x`)), JSON.stringify(attack)).toEqual([]);
  expect(plain("a\nb\tc\x1b[8mhidden")).toBe("a\u240ab chidden");
  expect(displayWidth(plain(ATTACK))).toBeGreaterThan(0);
});
