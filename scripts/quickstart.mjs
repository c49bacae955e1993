// The main job, end to end, with the real command: make data, train twice under different tags, predict by each tag, and
// validate. Ends with a table of what happened, where the plots are, and what to type next.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const command = path.join(root, "packages/cli/bin/flow.mjs");
const flows = "flows/model-versioning";
const paint =
  process.stdout.isTTY && !process.env.NO_COLOR ? (code, text) => `\x1b[${code}m${text}\x1b[0m` : (_, text) => text;
const begun = Date.now();

const story = [
  [
    "Make rows to learn from: real flights, and a synthetic set beside them",
    [
      `run ${flows}/generate-data.ts --dataset synthetic --configuration test_config --tag dataset:synthetic`,
      `run ${flows}/generate-data.ts --dataset flights --configuration test_config --tag dataset:flights`,
    ],
  ],
  [
    "Train on the flights, once for testing and once for production",
    [
      `run ${flows}/train.ts --dataset flights --configuration test_config --tag test:v1`,
      `run ${flows}/train.ts --dataset flights --configuration test_config --tag prod:v1`,
    ],
  ],
  [
    "Predict with the model that each tag names",
    [`run ${flows}/predict.ts --model-tag test:v1`, `run ${flows}/predict.ts --model-tag prod:v1`],
  ],
  ["Are the artifacts predicted with those of the tagged runs, whole and unchanged?", ["validate"]],
];

const before = newestRun();
for (const [title, commands] of story) {
  console.log(`\n${paint("1", title)}`);
  for (const words of commands) {
    console.log(paint("2", `$ flow ${words}`));
    const { status, signal } = spawnSync(process.execPath, [command, ...words.split(" ")], {
      stdio: "inherit",
      cwd: root,
    });
    if (status !== 0) process.exit(signal === null ? status : 130);
  }
}
report();

function report() {
  const runs = recordsSince(before);
  const rows = runs.map(({ record }) => [
    record.run,
    record.tags.join(", "),
    record.upstreams.map((edge) => `${edge.name} = ${edge.run}`).join(", "),
    note(record),
    `${(record.durationMs / 1000).toFixed(1)} s`,
  ]);
  console.log(`\n${paint("1", `Done in ${((Date.now() - begun) / 1000).toFixed(0)} s`)}\n`);
  printTable(["RUN", "TAGS", "READ FROM", "RESULT", "TOOK"], rows);
  const trained = runs.filter(({ record }) => record.flow.name === "Train").at(-1)?.record.run;
  const predicted = runs.filter(({ record }) => record.flow.name === "Predict").at(-1)?.record.run;
  console.log(`
Plots and summaries are in results/, one folder a run; the same plots are artifacts of the runs.

What to type next:
  npm run flow -- show ${trained}                       # what the production model was made from
  npm run flow -- graph ${flows}/train.ts     # the steps of the training flow
  npm run flow -- dump ${predicted}                     # the artifacts of the last prediction
  npm run flow -- run ${flows}/train.ts --dataset synthetic --configuration config --tag prod:v2
  npm run flow -- run flows/01-hello/hello.ts       # the first of a short ramp of examples: flows/README.md`);
}

/** One short result of a run for the table: a score or a count that the flow left as an artifact. */
function note(record) {
  const names = new Set(record.artifacts.map((artifact) => artifact.name));
  const wanted = { Train: "testScore", Predict: "predictions", GenerateData: "rowCount" }[record.flow.name];
  if (wanted === undefined || !names.has(wanted)) return "";
  const value = JSON.parse(flow("dump", record.run, wanted, "--json")).value;
  if (record.flow.name === "Train") return `test score (r2) ${Number(value).toFixed(3)}`;
  return `${Array.isArray(value) ? value.length : value} rows`;
}

function newestRun() {
  const { status, stdout } = spawnSync(process.execPath, [command, "runs", "--limit", "1", "--json"], {
    cwd: root,
    encoding: "utf8",
  });
  return status === 0 && stdout.trim() !== "" ? JSON.parse(stdout).id : undefined;
}

function recordsSince(id) {
  const lines = flow("runs", "--limit", "20", "--json")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const end = lines.findIndex((line) => line.id === id);
  return lines
    .slice(0, end < 0 ? undefined : end)
    .reverse()
    .map((line) => ({ record: JSON.parse(flow("show", line.run, "--json")) }));
}

function flow(...words) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...words], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`flow ${words.join(" ")} ended with ${status}: ${stderr}`);
  return stdout;
}

function printTable(titles, rows) {
  const widths = titles.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  const line = (cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]))
      .join("  ")
      .trimEnd();
  console.log(paint("2", line(titles)));
  for (const row of rows) console.log(line(row));
}
