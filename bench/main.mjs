// The benchmarks: `npm run bench` for all, `npm run bench -- foreach arrays` for some. Each row is a figure beside a floor that
// is measured in the same run, in turn. Absolute times say little on a shared machine; the ratio says what Millrace adds.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { isInMemory, machineFacts, sourceFacts } from "./kit/machine.mjs";
import { runTopic } from "./kit/run-topic.mjs";
import { headingText, rowText } from "./kit/table.mjs";

const TOPICS = [
  "start",
  "foreach",
  "wide",
  "line",
  "cache",
  "arrays",
  "artifacts",
  "queries",
  "store",
  "buckets",
  "process",
];

/** Only with `--peers`, or by its name: it installs what it compares with. */
const PEERS = "peers";

const USAGE = `Usage: npm run bench -- [TOPIC …] [options]

Topics: ${TOPICS.join(", ")}

  --peers         others on the same work as well (topic "peers"): installs them into a temporary folder
  --quick         three rounds of each, for a first look
  --repeats N     at most N rounds of each
  --only TEXT     trials whose name contains it: foreach --only 10,000
  --json FILE     keeps all figures, with the machine and the commit
  --folder DIR    where stores are made; default a temporary folder on a disk`;

const { values: flags, positionals: names } = parsedWords();
if (flags.help) {
  console.log(USAGE);
  process.exit(0);
}
const unknown = names.filter((name) => ![...TOPICS, PEERS].includes(name));
if (unknown.length > 0) refuse(`Unknown topic ${unknown.join(", ")}`);
if (flags.repeats !== undefined && !/^[1-9]\d*$/.test(flags.repeats))
  refuse(`Cannot take --repeats ${flags.repeats}: it is no number of rounds`);
const asked = names.length === 0 ? TOPICS : names;
const topics = flags.peers && !asked.includes(PEERS) ? [...asked, PEERS] : asked;
const columns = process.stdout.columns ?? 110;
const folder = fs.mkdtempSync(path.join(flags.folder ?? temporaryFolder(), "millrace-bench-"));
process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(signal === "SIGINT" ? 130 : 143));

const machine = machineFacts(folder);
const source = sourceFacts();
printMachine();
const rows = [];
const options = {
  folder,
  isQuick: flags.quick,
  ...(flags.only === undefined ? {} : { only: flags.only }),
  ...(flags.repeats === undefined ? {} : { repeats: Number(flags.repeats) }),
};
const startedAt = new Date();
for (const topic of topics) {
  console.log(`\n${headingText(topic, columns)}`);
  await runTopic(topic, options, (row) => {
    rows.push(row);
    console.log(rowText(row, columns));
  });
}
const counts = Object.groupBy(rows, ({ verdict }) => verdict);
const count = (verdict) => counts[verdict]?.length ?? 0;
console.log(
  `\n${count("reached")} reached, ${count("MISSED")} missed, ${count("none")} without a verdict, ${count("FAILED")} failed`,
);
if (rows.length === 0) refuse(`No trial of ${topics.join(", ")} has a name with "${flags.only}"`);
if (flags.json !== undefined) {
  const kept = { startedAt, seconds: (Date.now() - startedAt) / 1_000, isQuick: flags.quick, machine, ...source, rows };
  fs.writeFileSync(flags.json, `${JSON.stringify(kept, null, 2)}\n`);
}
process.exitCode = count("FAILED") > 0 ? 1 : 0;

function parsedWords() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        peers: { type: "boolean", default: false },
        quick: { type: "boolean", default: false },
        repeats: { type: "string" },
        only: { type: "string" },
        json: { type: "string" },
        folder: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    return refuse(error.message);
  }
}

function refuse(why) {
  console.error(`${why}\n\n${USAGE}`);
  process.exit(2);
}

function temporaryFolder() {
  const usual = os.tmpdir();
  return isInMemory(usual) && fs.existsSync("/var/tmp") ? "/var/tmp" : usual;
}

function printMachine() {
  const { cores, cpu, memoryBytes, node, os: system, filesystem, synchronous, loadBefore } = machine;
  const memory = `${(memoryBytes / 1024 ** 3).toFixed(0)} GiB`;
  console.log(`${cores} cores, ${cpu}, ${memory}, load ${loadBefore.toFixed(1)}; ${system}; Node ${node}`);
  console.log(
    `stores on ${filesystem}, synchronous=${synchronous}; commit ${source.commit.slice(0, 12)}${source.isDirty ? " and changes" : ""}`,
  );
  if (isInMemory(folder)) console.log("! Stores lie in memory, where syncing costs nothing: give a --folder on a disk");
}
