/** What a store holds of a run, and how long finished work takes to be taken over. */
import fs from "node:fs";
import path from "node:path";
import { atMost } from "../kit/goal.mjs";
import { benchFlow } from "../kit/places.mjs";
import { runCommand, runNode } from "../kit/processes.mjs";

const SIZE_WIDTH = 1_000;
const RESUME_WIDTH = 10_000;

export default function storeTopic() {
  return [size, resume];
}

const size = {
  what: "store of a 1,000-task no-op run",
  repeats: 1, // The same each time.
  warmUps: 0,
  open: ({ folder }) => ({ folder, store: path.join(folder, "store") }),
  sides: {
    millrace({ folder, store }) {
      runCommand(["run", benchFlow("wide"), "--store", store, "--quiet", "--width", String(SIZE_WIDTH)], {
        cwd: folder,
      });
      const files = fs.readdirSync(store, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      const sizes = files.map((entry) => fs.statSync(path.join(entry.parentPath, entry.name)).size);
      return { bytes: sizes.reduce((sum, each) => sum + each, 0), files: files.length };
    },
  },
  rows: [
    {
      what: "store of a 1,000-task no-op run, a task",
      unit: "bytes",
      goal: atMost(1_024),
      figure: (one) => one.millrace.bytes / SIZE_WIDTH,
    },
    {
      what: "store of a 1,000-task no-op run, files",
      unit: "count",
      goal: atMost(10),
      figure: (one) => one.millrace.files,
    },
  ],
};

/** Each round on a copy of the same store: what was resumed once is finished. */
const resume = {
  what: "resume of a 10,000-wide run",
  open({ folder }) {
    const made = path.join(folder, "made");
    const words = ["run", benchFlow("wide-then-fails"), "--store", made, "--quiet", "--width", String(RESUME_WIDTH)];
    runCommand(words, { cwd: folder, env: { ...process.env, BENCH_JOIN_FAILS: "1" }, statuses: [1] });
    const finished = path.join(folder, "finished");
    fs.cpSync(made, finished, { recursive: true });
    runCommand(["resume", "WideThenFails/1", "--store", finished, "--quiet"], { cwd: folder });
    return { folder, made, finished };
  },
  sides: {
    continued: ({ folder, made }) => resumeOfCopy(folder, made),
    forked: ({ folder, finished }) => resumeOfCopy(folder, finished, "--from", "end"),
    node: () => ({ ms: runNode(["-e", "0"]).ms }),
  },
  rows: [
    resumeRow("10,000-wide run whose join failed, resumed: whole command", "continued"),
    resumeRow("finished 10,000-wide run, join run again (--from end): whole command", "forked"),
  ],
};

function resumeRow(what, side) {
  return {
    what,
    unit: "ms",
    goal: atMost(1_000),
    figure: (one) => one[side].ms,
    shown: ({ node }) => `bare node ${node.ms.toFixed(0)} ms`,
  };
}

function resumeOfCopy(folder, store, ...words) {
  const copy = path.join(folder, "copy");
  fs.cpSync(store, copy, { recursive: true });
  const { ms } = runCommand(["resume", "WideThenFails/1", "--store", copy, "--quiet", ...words], { cwd: folder });
  fs.rmSync(copy, { recursive: true });
  return { ms };
}
