/**
 * The story of the guide, told again from its first line to its last in a folder of a user: the packages are packed and
 * installed with npm, the blocks of code are its files, every command is typed, and what it says is compared with the page.
 * `…` on the page stands for whatever is left out, a time that something took for any other, and blanks for as many as a
 * table needs. Comments of the page set the clock; each command comes a minute after the one before.
 */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { clockAhead } from "../flows/clock.ts";
import { type Done, orUnreachable, packPackages, UserFolder } from "../install/install-kit.ts";
import { ROOT, readText } from "../kit/repository.ts";

const MINUTE_MS = 60_000;
const text = readText("docs/guide/model-versioning.md");

const user = new UserFolder();
let unreachable: string | undefined;
afterAll(() => user[Symbol.dispose]());

beforeAll(async () => {
  user.write(
    Object.fromEntries(
      [...text.matchAll(/^```ts fragment file=(\S+)\n([\s\S]*?)^```/gm)].map(([, file, code]) => [file!, code!]),
    ),
  );
  const tarballs = await packPackages(path.join(user.base, "tarballs"));
  unreachable = await orUnreachable(async () => {
    const block = /^```sh\n([\s\S]*?)^```/m.exec(text)![1]!;
    for (const line of block.trimEnd().split("\n")) {
      // What is not on the registry yet comes from the tarballs, in the same words.
      const words = line
        .replaceAll(/@millrace\/(\w+)/g, (_, name: string) => tarballs[name]!)
        .split(" ")
        .slice(1);
      if (words[0] !== "install") expect((await user.run("npm", words)).code, line).toBe(0);
      else await user.install(words.slice(1));
    }
  });
}, 300_000);

interface Command {
  readonly command: string;
  /** What the page shows below it. */
  readonly shown: readonly string[];
  /** The exit code that the page shows, or 0. */
  readonly code: number;
  /** What the clock says, in milliseconds. */
  readonly at: number;
}

/** The commands of all blocks without a language. */
function commandsOf(page: string): readonly Command[] {
  const commands: Command[] = [];
  let at = Number.NaN;
  for (const [, time, block] of page.matchAll(
    /^<!-- clock: (\S+) -->$|^```(?:ts[^\n]*|sh)\n[\s\S]*?^```$|^```\n([\s\S]*?)^```$/gm,
  )) {
    if (time !== undefined) at = Date.parse(time);
    if (block === undefined) continue;
    for (const part of block.split(/^\$ /m).slice(1)) {
      const [command, ...shown] = part.trimEnd().split("\n") as [string, ...string[]];
      if (command === "echo $?") commands.push({ ...commands.pop()!, code: Number(shown[0]) });
      else {
        commands.push({ command, shown, code: 0, at });
        at += MINUTE_MS;
      }
    }
  }
  return commands;
}

/** In the shell of a user: where `flow` is `npx flow`, and everything that is said comes in one stream. */
async function type({ command, at }: Command): Promise<Done> {
  const isNpm = command.startsWith("npm "); // Certificates are not valid at every time.
  const line = isNpm ? `${command} --no-audit --no-fund --prefer-offline` : command;
  return await user.run("sh", ["-c", `PATH="$PWD/node_modules/.bin:$PATH"\n{ ${line}\n} 2>&1`], user.folder, {
    MILLRACE_USER: "ana",
    TZ: "UTC",
    ...(isNpm ? {} : { NODE_OPTIONS: `--import ${clockAhead(at - Date.now())}` }),
  });
}

/** What a command says, without what is another each time. */
function steady(said: string): readonly string[] {
  return said
    .trimEnd()
    .split("\n")
    .map((line) =>
      line
        .replaceAll(/\b\d+(?:\.\d+)? m?s\b/g, "TIME")
        .replaceAll(/ +/g, " ")
        .trimEnd(),
    );
}

function patternOf(shown: readonly string[]): RegExp {
  const lines = shown.map((line) =>
    line === "…"
      ? "(?:.*\n)*?"
      : `${line
          .split("…")
          .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"))
          .join(".*")}\n`,
  );
  return new RegExp(`^${lines.join("")}$`);
}

test("every command of the story says what the page shows", { timeout: 300_000 }, async (context) => {
  if (unreachable !== undefined) context.skip(unreachable);
  const commands = commandsOf(text);
  expect(commands.length).toBeGreaterThan(30);
  for (const each of commands) {
    const { code, stdout } = await type(each);
    expect([code, code === each.code ? "" : stdout], each.command).toEqual([each.code, ""]);
    const shown = steady(each.shown.join("\n"));
    const said = steady(stdout);
    if (!patternOf(shown).test(`${said.join("\n")}\n`)) expect(said, `$ ${each.command}`).toEqual(shown);
  }
});

test("its flows compile", (context) => {
  if (unreachable !== undefined) context.skip(unreachable);
  const { compilerOptions } = JSON.parse(
    /```json\n(\{[\s\S]*?\n\})\n```/.exec(readText("docs/guide/getting-started.md"))![1]!,
  );
  user.write({
    "tsconfig.json": JSON.stringify({ compilerOptions: { ...compilerOptions, types: [] }, include: ["*.ts"] }),
  });
  const compiler = path.join(ROOT, "node_modules/typescript/bin/tsc");
  const { stdout, status } = spawnSync(process.execPath, [compiler, "-p", user.folder, "--pretty", "false"], {
    encoding: "utf8",
  });
  expect([stdout, status]).toEqual(["", 0]);
});
