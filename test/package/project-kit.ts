import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";

/** Files of a project by path; a value that begins with "→ " is a link to another path of the project. */
export type ProjectFiles = Readonly<Record<string, string>>;

/** Writes a project to a new folder, removed when the test ends. */
export function makeProject(files: ProjectFiles): string {
  const folder = fs.realpathSync.native(fs.mkdtempSync(path.join(os.tmpdir(), "millrace-package-")));
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
  writeFiles(folder, files);
  return folder;
}

export function writeFiles(folder: string, files: ProjectFiles): void {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    if (content.startsWith("→ "))
      fs.symlinkSync(path.relative(path.dirname(file), path.join(folder, content.slice(2))), file);
    else fs.writeFileSync(file, content);
  }
}

/** A package.json and an index.js that exports the version, for `node_modules`. */
export function installed(
  folder: string,
  name: string,
  version: string,
  source = `exports.version = ${JSON.stringify(version)};\n`,
): ProjectFiles {
  return {
    [`${folder}/package.json`]: JSON.stringify({ name, version, main: "index.js" }),
    [`${folder}/index.js`]: source,
  };
}

export const HELLO = `import { Flow, step } from "@millrace/core";

export default class Hello extends Flow {
  greeting!: string;

  @step({ next: "end" })
  start() {
    this.greeting = "hello";
  }

  @step()
  end() {}
}
`;

const room = new URL("../../packages/core/src/package/", import.meta.url).href;

/** A module with the functions of the package room and `entry` at hand. */
export function programText(entry: string, program: string): string {
  return `import { preparePackage } from "${room}prepare-package.ts";
import { loadPackage } from "${room}load-package.ts";
import { userStack } from "${room}user-stack.ts";
const entry = ${JSON.stringify(entry)};
${program}`;
}

/** Runs such a module in a Node process of its own. */
export async function runProgram(
  entry: string,
  program: string,
): Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", programText(entry, program)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, status] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close").then(([code]) => code as number | null),
  ]);
  return { status, stdout, stderr };
}
