/** `flow tag add|remove|replace|list`: labels on runs. Every move is kept in the store's log with who, when and why. */
import type { OpenStores, RunRow } from "@millrace/core/internal";
import type { Core } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { renderTable } from "../render/table.ts";
import { dateTime, plain } from "../render/text.ts";
import { type Command, type Context, DEBUG_FLAG, type Invocation, JSON_FLAG, STORE_FLAG } from "./command.ts";
import {
  actorOf,
  EXPECT_FLAG,
  expectedOf,
  FORCE_AGE_FLAG,
  type Moved,
  moveTags,
  REASON_FLAG,
  tellWebhooks,
} from "./move-tag.ts";
import { type UnreadableRun, unreadableRun } from "./unreadable-run.ts";
import { selectRun, withStores } from "./with-stores.ts";

const RUN_ARGUMENT = { name: "SELECTOR", help: "The run: Train/17, Train@prod:v1, or an id", required: true } as const;
const TAG_HELP = "1 to 500 characters";

export const tagAddCommand: Command = {
  usage: "tag add SELECTOR TAG … [--reason TEXT]",
  positionals: [RUN_ARGUMENT, { name: "TAG", help: TAG_HELP, required: true, many: true }],
  flags: [REASON_FLAG, FORCE_AGE_FLAG, JSON_FLAG, STORE_FLAG, DEBUG_FLAG],
  examples: [['tag add Train/17 prod:v1 --reason "better on the holdout"', ""]],
  run: (invocation, context) => {
    const [selector, ...add] = invocation.positionals;
    return move({ verb: "add", selector: selector!, add, remove: [] }, invocation, context);
  },
};

export const tagRemoveCommand: Command = {
  usage: "tag remove SELECTOR TAG … [--reason TEXT]",
  positionals: [RUN_ARGUMENT, { name: "TAG", help: "A tag that the run holds", required: true, many: true }],
  flags: [REASON_FLAG, JSON_FLAG, STORE_FLAG, DEBUG_FLAG],
  examples: [["tag remove Train/17 prod:v1", ""]],
  run: (invocation, context) => {
    const [selector, ...remove] = invocation.positionals;
    return move({ verb: "remove", selector: selector!, add: [], remove }, invocation, context);
  },
};

export const tagReplaceCommand: Command = {
  usage: "tag replace SELECTOR OLD NEW [--reason TEXT] [--expect RUN]",
  positionals: [
    RUN_ARGUMENT,
    { name: "OLD", help: "A tag that the run holds, and loses", required: true },
    { name: "NEW", help: TAG_HELP, required: true },
  ],
  flags: [REASON_FLAG, EXPECT_FLAG, FORCE_AGE_FLAG, JSON_FLAG, STORE_FLAG, DEBUG_FLAG],
  examples: [["tag replace Train/17 test:v1 prod:v1", "both at once, in one move"]],
  run: (invocation, context) => {
    const [selector, old, fresh] = invocation.positionals;
    return move({ verb: "replace", selector: selector!, add: [fresh!], remove: [old!] }, invocation, context);
  },
};

export const tagListCommand: Command = {
  usage: "tag list [FLOW | SELECTOR] [--limit N]",
  positionals: [
    { name: "FLOW", help: "Only tags of this flow; a run (Train/17) shows its tags with every move", required: false },
  ],
  flags: [
    { name: "limit", type: "number", short: "n", min: 1, help: "At most so many moves of a run (default 50)" },
    { ...JSON_FLAG, help: "Print one JSON object a line" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["tag list Train", ""],
    ["tag list Train/17", "who moved what, when and why"],
  ],
  run: (invocation, context) => list(invocation, context),
};

interface Change {
  readonly verb: "add" | "remove" | "replace";
  readonly selector: string;
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

function move(change: Change, invocation: Invocation, context: Context): Promise<number> {
  const { verb, selector, add, remove } = change;
  return withStores(invocation, context, async (stores, core) => {
    const takes = { command: `flow tag ${verb}`, most: "run", successfulOnly: true } as const;
    const found = await selectRun(core, stores, selector, context, takes).catch((error: unknown) => {
      // A run that cannot be read may lose its tags: otherwise it could not be deleted either.
      const unreadable = verb === "remove" ? unreadableRun(core, error) : undefined;
      if (unreadable === undefined) throw error;
      return unreadable;
    });
    if (!("run" in found)) return await removeOfUnreadable(core, stores, found, change, invocation, context);
    const { run } = found;
    if (verb === "replace" && !run.tags.includes(remove[0]!.normalize("NFC")))
      throw new core.FlowError("FLOW_TAG_NOT_EXPECTED", {
        message: `Cannot replace "${remove[0]}" of ${core.runName(run)}: it does not hold this tag`,
        hint: run.tags.length === 0 ? "It holds no tag" : `It holds ${run.tags.join(", ")}`,
      });
    const changes = {
      add,
      remove,
      ...(verb === "replace" ? ({ action: "replace" } as const) : {}),
      ...(await expectedOf(core, stores, invocation)),
      ...(invocation.isOn("force-age") ? { forceAge: true } : {}),
    };
    const moved = await moveTags(core, stores, run, changes, actorOf(core, invocation, context, "flow tag"), context);
    const name = core.runName(run);
    const { stdout } = context;
    if (invocation.isOn("json")) {
      const { run: after, moves, requested } = moved;
      const waiting = requested.length === 0 ? {} : { requested };
      stdout.write(`${JSON.stringify({ run: name, runId: run.id, tags: after.tags, ...waiting, moves })}\n`);
      return EXIT.done;
    }
    stdout.write(
      `${stdout.paint.green("✓")} ${stdout.paint.bold(name)} ${whatHappened(moved, run)}; it holds ${moved.run.tags.length === 0 ? "no tags" : moved.run.tags.join(", ")}\n`,
    );
    return EXIT.done;
  });
}

async function removeOfUnreadable(
  core: Core,
  stores: OpenStores,
  { sequence, runId, name }: UnreadableRun,
  { remove }: Change,
  invocation: Invocation,
  context: Context,
): Promise<number> {
  const by = actorOf(core, invocation, context, "flow tag");
  const moves = await stores.metadata.moveTags({
    run: sequence,
    add: [],
    remove: remove.map((tag) => tag.normalize("NFC")),
    ...by,
  });
  await tellWebhooks(core, stores, context);
  const { stdout } = context;
  const taken = moves.filter(({ run }) => run === runId).map(({ tag }) => plain(tag));
  const what = taken.length === 0 ? "nothing to change" : `no longer tagged ${taken.join(", ")}`;
  stdout.write(
    invocation.isOn("json")
      ? `${JSON.stringify({ run: name, runId, moves })}\n`
      : `${stdout.paint.green("✓")} ${stdout.paint.bold(name)} ${what}; its record cannot be read\n`,
  );
  return EXIT.done;
}

function whatHappened({ moves, requested }: Moved, { id }: RunRow): string {
  const of = (verb: "add" | "remove") => moves.filter((each) => each.run === id && each.verb === verb);
  const [given, taken] = [of("add"), of("remove")];
  const parts = [
    ...(taken.length === 0 ? [] : [`no longer tagged ${taken.map(({ tag }) => tag).join(", ")}`]),
    ...(given.length === 0 ? [] : [`tagged ${given.map(({ tag }) => tag).join(", ")}`]),
    ...(requested.length === 0 ? [] : [`gets ${requested.join(", ")} when it succeeds`]),
  ];
  if (parts.length > 0) return parts.join(", ");
  return moves.length > 0 ? "alone holds it now" : "nothing to change";
}

function list(invocation: Invocation, context: Context): Promise<number> {
  return withStores(invocation, context, async (stores, core) => {
    const { metadata } = stores;
    const { stdout } = context;
    const style = { paint: stdout.paint, width: stdout.columns() };
    const text = invocation.positionals[0];
    if (text !== undefined && namesOneRun(text)) {
      const { run } = await selectRun(core, stores, text, context, { command: "flow tag list", most: "run" });
      const events = await metadata.tagEvents({ run: run.id, limit: invocation.number("limit") ?? 50 });
      if (invocation.isOn("json")) {
        stdout.write(`${JSON.stringify({ run: core.runName(run), runId: run.id, tags: run.tags, moves: events })}\n`);
        return EXIT.done;
      }
      stdout.write(
        `${stdout.paint.bold(core.runName(run))} holds ${run.tags.length === 0 ? "no tags" : plain(run.tags.join(", "))}\n`,
      );
      if (events.length > 0) {
        const columns = [
          { title: "WHEN" },
          { title: "MOVE" },
          { title: "TAG", shrinkTo: 10 },
          { title: "BY", shrinkTo: 8 },
          { title: "VIA" },
          { title: "REASON", shrinkTo: 10 },
        ];
        stdout.write(
          renderTable(
            columns,
            events.map((event) => [
              dateTime(event.at),
              event.verb === "add" ? "added" : "removed",
              plain(event.tag),
              plain(event.actor),
              plain(event.via),
              plain(event.reason ?? ""),
            ]),
            style,
          ),
        );
      }
      return EXIT.done;
    }
    const tags = await metadata.tags(text === undefined ? {} : { flow: flowOf(core.flowNameOf(text)) });
    const rows: { tag: string; runs: number; newest: string }[] = [];
    for (const entry of tags) {
      const newest = await metadata.run(entry.newest).catch((error: unknown) => {
        const unreadable = unreadableRun(core, error);
        if (unreadable === undefined) throw error;
        return unreadable.name;
      });
      const name = typeof newest === "string" ? newest : newest === undefined ? "" : core.runName(newest);
      rows.push({ tag: entry.tag, runs: entry.runs, newest: name });
    }
    if (invocation.isOn("json")) for (const row of rows) stdout.write(`${JSON.stringify(row)}\n`);
    else if (rows.length === 0) context.stderr.write("No tags\n");
    else
      stdout.write(
        renderTable(
          [{ title: "TAG", shrinkTo: 20 }, { title: "RUNS", align: "right" }, { title: "NEWEST" }],
          rows.map((row) => [plain(row.tag), String(row.runs), row.newest]),
          style,
        ),
      );
    return EXIT.done;
  });
}

function flowOf({ project, name }: { readonly project?: string | undefined; readonly name: string }) {
  return project === undefined ? { name } : { project, name };
}

/** `Train/17`, `Train@tag` and ids name a run, `Train/17/fold` more than one; `Train` and `shop/Train` name a flow. */
function namesOneRun(text: string): boolean {
  return text.includes("@", 1) || /(?:^|\/)\d+$|[^/]\/\d+[./]/.test(text) || /^[0-9a-f]{8}-/.test(text);
}
