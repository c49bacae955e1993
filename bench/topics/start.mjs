/** Whole commands, and what they load, against a bare `node -e 0`. */
import path from "node:path";
import { atMost } from "../kit/goal.mjs";
import { benchFlow, benchProgram, root } from "../kit/places.mjs";
import { runCommand, runNode } from "../kit/processes.mjs";

const REPEATS = 15;
const HELLO = path.join(root, "flows/01-hello/hello.ts");

export default function startTopic() {
  return [commands, library, worker];
}

const commands = {
  what: "commands",
  repeats: REPEATS,
  open({ folder }) {
    const options = { cwd: folder };
    runCommand(["run", HELLO, "--store", "store"], options);
    return options;
  },
  sides: {
    node: (options) => ({ ms: runNode(["-e", "0"], options).ms }),
    help: (options) => ({ ms: runCommand(["--help"], options).ms }),
    graph: (options) => ({ ms: runCommand(["graph", benchFlow("ten-steps")], options).ms }),
    runs: (options) => ({ ms: runCommand(["runs", "--store", "store"], options).ms }),
    hello: (options) => ({ ms: runCommand(["run", HELLO, "--store", "store"], options).ms }),
  },
  rows: [
    commandRow("flow --help", "help", 2.5),
    commandRow("flow graph, warm, 10 steps", "graph", 2.5),
    commandRow("flow runs", "runs", 2.5),
    commandRow("flow run hello, 2 steps", "hello", 6),
  ],
};

function commandRow(what, side, limit) {
  return {
    what: `${what} / node -e 0`,
    unit: "x",
    goal: atMost(limit),
    figure: (one) => one[side].ms / one.node.ms,
    shown: (medians) => `${medians[side].ms.toFixed(0)} ms, bare node ${medians.node.ms.toFixed(0)} ms`,
  };
}

/** Without a compile cache, as a program of a user imports it. */
const library = {
  what: "import of @millrace/core",
  repeats: REPEATS,
  sides: {
    node: () => ({ ms: runNode(["--input-type=module", "-e", "0"], { cwd: root }).ms }),
    core: () => ({ ms: runNode(["--input-type=module", "-e", 'import "@millrace/core"'], { cwd: root }).ms }),
  },
  rows: [
    {
      what: "import of @millrace/core, over bare node",
      unit: "ms",
      goal: atMost(60),
      figure: (one) => one.core.ms - one.node.ms,
      shown: ({ core, node }) => `${core.ms.toFixed(0)} ms, bare node ${node.ms.toFixed(0)} ms`,
    },
  ],
};

/** From the wish for a worker until it has answered; the floor is an empty thread that imports the same files. */
const worker = {
  what: "a worker that is ready",
  repeats: REPEATS,
  warmUps: 2,
  open: () => import(benchProgram("worker-ready.mjs")),
  sides: {
    millrace: async ({ workerReadyMs }) => ({ ms: await workerReadyMs() }),
    importing: async ({ emptyWorkerMs }) => ({ ms: await emptyWorkerMs(true) }),
    bare: async ({ emptyWorkerMs }) => ({ ms: await emptyWorkerMs(false) }),
  },
  rows: [
    {
      what: "a worker that is ready / an empty thread that imports the same",
      unit: "x",
      goal: atMost(1.5),
      figure: (one) => one.millrace.ms / one.importing.ms,
      shown: ({ millrace, importing }) =>
        `worker ${millrace.ms.toFixed(0)} ms, importing thread ${importing.ms.toFixed(0)} ms`,
    },
    {
      what: "a worker that is ready / an empty thread that imports nothing",
      unit: "x",
      figure: (one) => one.millrace.ms / one.bare.ms,
      shown: ({ millrace, bare }) => `worker ${millrace.ms.toFixed(0)} ms, empty thread ${bare.ms.toFixed(0)} ms`,
    },
  ],
};
