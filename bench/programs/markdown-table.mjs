// node markdown-table.mjs FILE…: what runs with --json have kept, as the table of docs/performance.md, on stdout.
import fs from "node:fs";
import { quantity } from "../kit/table.mjs";

const kept = process.argv.slice(2).map((file) => JSON.parse(fs.readFileSync(file, "utf8")));
const { machine, commit } = kept[0];
const memory = `${(machine.memoryBytes / 1024 ** 3).toFixed(0)} GiB`;
console.log(
  `${machine.cores} cores (${machine.cpu}), ${memory}, ${machine.os}, ${machine.filesystem}, Node ${machine.node.slice(1)}, synchronous=${machine.synchronous}; commit ${commit.slice(0, 12)}.\n`,
);
let topic;
for (const row of kept.flatMap(({ rows }) => rows)) {
  if (row.topic !== topic) {
    topic = row.topic;
    console.log(`\n| \`${topic}\` | median | quartiles | goal | | beside it |`);
    console.log("| --- | --- | --- | --- | --- | --- |");
  }
  console.log(`| ${cells(row).join(" | ")} |`);
}

function cells({ what, unit, median, quartiles, goal, verdict, note = "" }) {
  const shown = verdict === "FAILED" ? "failed" : note;
  if (median === undefined) return [what, "-", "", goalText(goal, unit), "", shown];
  const spread = quartiles.map((value) => quantity(value, unit)).join(" to ");
  return [what, quantity(median, unit), spread, goalText(goal, unit), verdict === "none" ? "" : verdict, shown];
}

function goalText(goal, unit) {
  return goal === undefined ? "" : `${goal.kind} ${quantity(goal.limit, unit)}`;
}
