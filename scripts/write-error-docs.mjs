// Writes docs/errors.md from the code table. With --print it prints the text instead. Needs a Node that strips types
// (22.18 or newer): `npm test` brings one along.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const { codeTable } = await import("../packages/core/src/errors/code-table.ts");

/** What the second word of a code stands for, in the order of the table. */
const ROOMS = {
  INTERNAL: "Defects of Millrace",
  DEFINITION: "Defining flows",
  PARAMETER: "Parameters and files",
  FLOW: "Inside steps",
  GRAPH: "The graph of steps",
  PACKAGE: "Loading flow files",
  STEP: "Running",
  RUN: "Running",
  RUNNER: "Running",
  RESUME: "Resuming runs",
  ARTIFACT: "Artifacts",
  STORAGE: "Stored bytes",
  METADATA: "Records",
  LINEAGE: "Finding upstreams",
  CONFIG: "Settings",
  CLIENT: "Reading runs",
  TAG: "Moving tags",
  WEBHOOK: "Webhooks",
  SIGN: "Signing runs",
  GC: "Deleting runs and values",
  CLI: "The flow command",
  TESTING: "Testing flows",
  TRANSFER: "Exported and imported runs",
  COPY: "Copying stores",
  PUBLISH: "Stores in buckets",
};

const text = errorDocs(codeTable);
if (process.argv.includes("--print")) process.stdout.write(text);
else fs.writeFileSync(path.join(root, "docs/errors.md"), text);

function errorDocs(table) {
  const parts = [
    "# Error codes",
    "<!-- Written by scripts/write-error-docs.mjs from packages/core/src/errors: change the table there, then run it. -->",
    "Every error of Millrace has a code. The code keeps its meaning from version to version; messages may improve. With `--json` the\ncommand prints it as `code`; in a program, compare `error.code`.",
  ];
  let last;
  for (const [code, { meaning, cause, remedy }] of Object.entries(table)) {
    const room = code.split("_")[1];
    const title = ROOMS[room];
    if (title === undefined) throw new Error(`scripts/write-error-docs.mjs has no title for the codes FLOW_${room}_…`);
    if (title !== last) parts.push(`## ${title}`);
    last = title;
    parts.push(`### ${code}`, `${meaning}.`, `- **Usual cause**: ${cause}`, `- **What to do**: ${remedy}`);
  }
  return `${parts.join("\n\n").replaceAll("\n\n- **What to do**", "\n- **What to do**")}\n`;
}
