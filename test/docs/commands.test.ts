/** Every `flow …` line of the documents names a verb that exists, with flags that it has. */
import { expect, test } from "vitest";
import type { Flag } from "../../packages/cli/src/arguments/flag.ts";
import { commandTable } from "../../packages/cli/src/commands/table.ts";
import { flow } from "../cli/kit.ts";
import { readText, repositoryFiles } from "../kit/repository.ts";

const PAGES =
  /^(README\.md|ARCHITECTURE\.md|CONTRIBUTING\.md|CHANGELOG\.md|docs\/.*\.md|flows\/.*\.md|packages\/.*\/README\.md)$/;
const OF_ALL: readonly string[] = ["--help", "-h", "--version", "-V"];

interface Line {
  readonly place: string;
  readonly words: readonly string[];
}

/** Command lines in blocks of shell and in code spans; `npm run flow --` stands for `flow`. */
function commandLines(page: string): readonly Line[] {
  const text = readText(page);
  const blocks = [...text.matchAll(/^```(?:sh|bash|shell|text)?\n([\s\S]*?)^```/gm)].flatMap((match) =>
    match[1]!.split("\n"),
  );
  const spans = [...text.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!);
  return [...blocks, ...spans].flatMap((line) => {
    const command = /^\s*(?:\$ )?(?:npm run flow -- |npx flow |flow )(.*)$/
      .exec(line)?.[1]
      ?.replace(/\s+#.*$/, "")
      .split(/ \| | > | && /)[0];
    return command === undefined ? [] : [{ place: `${page}: ${line.trim()}`, words: command.trim().split(/\s+/) }];
  });
}

/** Flags that come from fields of the flows in documents and examples: `--model-tag`, `--fold-count`. */
function fieldFlags(): ReadonlySet<string> {
  const flags = new Set<string>();
  const texts = repositoryFiles(/^(README\.md|docs\/.*\.md|flows\/.*\.ts|packages\/.*\/README\.md)$/).map(readText);
  for (const match of texts.join("\n").matchAll(/readonly (\w+) = (param|config|includeFile|upstream)\b[^\n]*/g)) {
    const name = match[1]!.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (match[2] === "upstream") for (const end of ["tag", "run"]) flags.add(`--${name}-${end}`);
    else for (const form of [name, `no-${name}`, match[1]!]) flags.add(`--${form}`);
    const short = /short: "(\w)"/.exec(match[0])?.[1];
    if (short !== undefined) flags.add(`-${short}`);
  }
  return flags;
}

const pages = repositoryFiles(PAGES);
const fields = fieldFlags();

test("documents name verbs and flags that exist", async () => {
  const wrong: string[] = [];
  const used = new Set<string>();
  let lines = 0;
  for (const { place, words } of pages.flatMap(commandLines)) {
    const [first, second, third] = words as [string, string?, string?];
    if (first.startsWith("--") || first === "VERB" || first === "…") continue; // `flow --version`, `flow VERB --help`
    const entry =
      commandTable.find(({ name }) => name === `${first} ${second} ${third}`) ??
      commandTable.find(({ name }) => name === `${first} ${second}`) ??
      commandTable.find(({ name }) => name === first);
    const isGroup = commandTable.some(({ name }) => name.startsWith(`${first} `));
    if (entry === undefined) {
      if (commandTable.some(({ name }) => name.startsWith(`${first} ${second} `)) && third === undefined) continue;
      if (!isGroup || (second !== undefined && !second.startsWith("-"))) wrong.push(`${place}: there is no such verb`);
      continue;
    }
    lines++;
    used.add(entry.name);
    const { flags } = await entry.load();
    for (const flag of flagsIn(words)) {
      if (
        OF_ALL.includes(flag) ||
        isKnown(flag, flags) ||
        (["run", "resume", "validate"].includes(entry.name) && fields.has(flag))
      )
        continue;
      wrong.push(`${place}: flow ${entry.name} has no ${flag}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(lines).toBeGreaterThan(50);
  expect(commandTable.map(({ name }) => name).filter((name) => !used.has(name))).toEqual([]);
});

test("the page of the command has every verb and every flag", async () => {
  const text = readText("docs/guide/cli.md");
  const missing: string[] = [];
  for (const { name, load } of commandTable) {
    if (!text.includes(`flow ${name}`)) missing.push(`flow ${name}`);
    for (const flag of (await load()).flags)
      if (!text.includes(`--${flag.name}`)) missing.push(`flow ${name} --${flag.name}`);
  }
  expect(missing).toEqual([]);
});

test("flow --help names the exit codes of the page", async () => {
  const codes = [...readText("docs/guide/cli.md").matchAll(/^\| (\d+) +\|/gm)].map(([, code]) => Number(code));
  expect(codes.length).toBeGreaterThan(5);
  const { stdout } = await flow(["--help"]);
  const line = stdout.split("\n").find((each) => each.startsWith("Exit codes: "))!;
  expect([...line.matchAll(/\b(\d+) \w/g)].map(([, code]) => Number(code))).toEqual(codes);
});

/** Flags of a line, without what stands for one: `--PARAMETER`, `[--UPSTREAM-tag TAG]`. */
function flagsIn(words: readonly string[]): readonly string[] {
  return words
    .map(
      (word) =>
        word
          .replace(/^\[+/, "")
          .replace(/[\],]+$/, "")
          .split("=")[0]!,
    )
    .filter((word) => /^--?[a-zA-Z]/.test(word) && !/[A-Z]{2}/.test(word));
}

function isKnown(word: string, flags: readonly Flag[]): boolean {
  return flags.some((flag) => word === `--${flag.name}` || (flag.short !== undefined && word === `-${flag.short}`));
}
