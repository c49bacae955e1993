/** What the process of a run takes while nothing happens, and when much has happened in it. */
import { atMost } from "../kit/goal.mjs";
import { benchFlow, benchProgram } from "../kit/places.mjs";
import { runCommand, runNode } from "../kit/processes.mjs";

const WAIT_MS = 4_000;
/** By then the workers are there, and so is the thread that beats for the run from its third second on: nothing of a beginning is left. */
const SETTLE_MS = 3_500;
const RUNS = 1_000;
const QUICK_RUNS = 100;

/** @param {{ isQuick: boolean }} options */
export default function processTopic({ isQuick }) {
  return [idle, memory(isQuick ? QUICK_RUNS : RUNS)];
}

const idle = {
  what: "CPU while a step waits",
  warmUps: 0,
  open: ({ folder }) => ({ folder }),
  sides: {
    waiting({ folder }) {
      const times = ["--ms", String(WAIT_MS), "--settle-ms", String(SETTLE_MS)];
      const { stdout } = runCommand(["run", benchFlow("sleep"), "--store", "store", "--json", ...times], {
        cwd: folder,
      });
      return { cpuMs: Number(/waited with ([\d.]+) ms/.exec(stdout)[1]) };
    },
  },
  rows: [
    {
      what: "CPU of a run while its step waits",
      unit: "share",
      goal: atMost(0.01),
      figure: (one) => one.waiting.cpuMs / WAIT_MS,
      shown: ({ waiting }) => `${waiting.cpuMs.toFixed(1)} ms in ${WAIT_MS / 1_000} s`,
    },
  ],
};

/** Runs of two steps, one after another; garbage is collected before each look. */
function memory(runs) {
  const what = `memory after ${runs.toLocaleString("en")} runs in one process / after a tenth of them`;
  return {
    what,
    repeats: 1,
    warmUps: 0,
    open: ({ folder }) => ({ folder }),
    sides: {
      millrace: ({ folder }) =>
        JSON.parse(
          runNode(["--expose-gc", benchProgram("many-runs.mjs"), String(runs), folder], { cwd: folder })
            .stdout.trim()
            .split("\n")
            .at(-1),
        ),
    },
    rows: [
      {
        what,
        unit: "x",
        goal: atMost(1.2),
        figure: (one) => one.millrace.lastRss / one.millrace.firstRss,
        shown: ({ millrace }) =>
          `${megabytes(millrace.lastRss)} MB after ${megabytes(millrace.firstRss)} MB; heap ${megabytes(millrace.lastHeap)} MB after ${megabytes(millrace.firstHeap)} MB; ${millrace.runMs.toFixed(0)} ms a run`,
      },
    ],
  };
}

function megabytes(bytes) {
  return (bytes / 1e6).toFixed(0);
}
