/** `flow promote` and `flow rollback`: which run of a flow holds a tag, changed without running anything. */
import type { RunRow } from "@millrace/core/internal";
import { EXIT } from "../exit-code.ts";
import { plain } from "../render/text.ts";
import { type Command, DEBUG_FLAG, JSON_FLAG, STORE_FLAG } from "./command.ts";
import {
  actorOf,
  EXPECT_FLAG,
  expectedOf,
  FORCE_AGE_FLAG,
  moveTags,
  moveText,
  REASON_FLAG,
  tellWebhooks,
} from "./move-tag.ts";
import { selectRun, withStores } from "./with-stores.ts";

export const promoteCommand: Command = {
  usage: "promote SELECTOR --to TAG [--from TAG] [--reason TEXT] [--check] [--expect RUN]",
  positionals: [
    { name: "SELECTOR", help: "The run: Train/17, Train@test:v1; with --from the flow alone: Train", required: true },
  ],
  flags: [
    { name: "to", type: "text", placeholder: "TAG", notEmpty: "a tag", help: "The tag that the run gets" },
    {
      name: "from",
      type: "text",
      placeholder: "TAG",
      notEmpty: "a tag",
      help: "The tag that the run holds now, and keeps; with a flow, this is how the run is found",
    },
    REASON_FLAG,
    { name: "check", type: "boolean", help: "Make every check of flow validate first, and refuse when one fails" },
    EXPECT_FLAG,
    FORCE_AGE_FLAG,
    JSON_FLAG,
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ['promote Train/17 --to prod:v1 --reason "better on the holdout"', ""],
    ["promote Train --from test:v1 --to prod:v1 --check", "what was tested becomes production"],
  ],
  notes:
    "The tag is taken from every other run of the flow in the same transaction, with or without a policy. Nothing runs, and no run becomes newer by it.",
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const to = invocation.text("to");
      if (to === undefined)
        throw new core.FlowError("FLOW_CLI_MISSING_ARGUMENT", {
          message: "Cannot promote: it does not say which tag the run is to get",
          hint: "Name it, such as --to prod:v1",
        });
      const from = invocation.text("from");
      const text = invocation.positionals[0]!;
      const parsed = core.parseSelector(text);
      const isFlow = parsed.runId === undefined && parsed.number === undefined;
      const selector = from !== undefined && isFlow ? `${text}@${from}` : text;
      const { run } = await selectRun(core, stores, selector, context, {
        command: "flow promote",
        most: "run",
        successfulOnly: true,
      });
      if (from !== undefined && !run.tags.includes(from))
        throw new core.FlowError("FLOW_TAG_NOT_EXPECTED", {
          message: `Cannot promote ${core.runName(run)} from "${from}": it does not hold this tag`,
          hint: run.tags.length === 0 ? "It holds no tag" : `It holds ${run.tags.join(", ")}`,
        });
      const before = await stores.metadata.holders(run.flow, to.normalize("NFC"));
      const changes = {
        add: [to],
        action: "promote",
        take: true,
        ...(await expectedOf(core, stores, invocation)),
        ...(invocation.isOn("check") ? { check: true } : {}),
        ...(invocation.isOn("force-age") ? { forceAge: true } : {}),
      } as const;
      const moved = await moveTags(
        core,
        stores,
        run,
        changes,
        actorOf(core, invocation, context, "flow promote"),
        context,
      );
      const { stdout } = context;
      const name = core.runName(run);
      const others = before.filter(({ id }) => id !== run.id).map((row) => core.runName(row));
      if (invocation.isOn("json")) {
        const { tags } = moved.run;
        stdout.write(
          `${JSON.stringify({ run: name, runId: run.id, tag: to, from: others, tags, requested: moved.requested, moves: moved.moves })}\n`,
        );
        return EXIT.done;
      }
      if (moved.requested.length > 0)
        stdout.write(`${stdout.paint.yellow("…")} ${stdout.paint.bold(name)} gets ${plain(to)} when it succeeds\n`);
      else if (moved.moves.length === 0)
        stdout.write(`${stdout.paint.green("✓")} ${stdout.paint.bold(name)} alone holds ${plain(to)} already\n`);
      else
        stdout.write(
          `${stdout.paint.green("✓")} ${moveText(to, others.length === 0 ? undefined : others.join(", "), name, context)}\n  ${stdout.paint.dim(`flow rollback ${run.flow.name}@${to}     flow tag log ${to}`)}\n`,
        );
      return EXIT.done;
    }),
};

export const rollbackCommand: Command = {
  usage: "rollback FLOW@TAG [--to RUN] [--reason TEXT]",
  positionals: [{ name: "FLOW@TAG", help: "Whose tag, and which: Train@prod:v1", required: true }],
  flags: [
    {
      name: "to",
      type: "text",
      placeholder: "RUN",
      notEmpty: "a run",
      help: "The run that gets the tag back (default: the one before the run that holds it)",
    },
    REASON_FLAG,
    FORCE_AGE_FLAG,
    JSON_FLAG,
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ['rollback Train@prod:v1 --reason "errors since noon"', "the run that held the tag before holds it again"],
    ["rollback Train@prod:v1 --to Train/12", ""],
  ],
  notes:
    "Twice in a row leads two runs back, not there and back again. A previous run that was deleted is named, and nothing moves.",
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const text = invocation.positionals[0]!;
      const { flow, project, tags = [], number, runId, step, artifact } = core.parseSelector(text);
      const [tag] = tags;
      const isOther = [number, runId, step, artifact].some((part) => part !== undefined);
      if (flow === undefined || tag === undefined || tags.length > 1 || isOther)
        throw new core.FlowError("FLOW_CLIENT_BAD_SELECTOR", {
          message: `Cannot roll "${text}" back: it names no tag of a flow`,
          hint: "Write Train@prod:v1, and the run with --to",
          context: { selector: text },
        });
      const identified = await core.identifyFlow(stores.metadata, { project, name: flow });
      if (identified.kind === "ambiguous") throw core.problemsError("Cannot roll back", [identified.problem]);
      if (identified.kind === "unknown")
        throw new core.FlowError("FLOW_LINEAGE_NO_RUN", {
          message: `Cannot roll "${tag}" back: the store has no run of ${flow}`,
          hint: "List the flows with flow runs",
        });
      const to = await targetOf();
      const options = {
        ...(to === undefined ? {} : { to }),
        ...(invocation.isOn("force-age") ? { forceAge: true } : {}),
      };
      const by = actorOf(core, invocation, context, "flow rollback");
      const back = await core.rollback(stores, identified.flow, tag, options, by);
      await tellWebhooks(core, stores, context);
      const { stdout } = context;
      const losers = back.losers.map((run) => core.runName(run));
      const from = losers.length === 0 ? undefined : losers.join(", ");
      const name = core.runName(back.to);
      if (invocation.isOn("json"))
        stdout.write(
          `${JSON.stringify({ run: name, runId: back.to.id, tag: back.tag, from: losers, moves: back.moves })}\n`,
        );
      else
        stdout.write(
          `${stdout.paint.green("✓")} ${moveText(back.tag, from, name, context)}\n  ${stdout.paint.dim(`flow tag log ${core.shellWord(back.tag)}`)}\n`,
        );
      return EXIT.done;

      async function targetOf(): Promise<RunRow | undefined> {
        const named = invocation.text("to");
        if (named === undefined) return undefined;
        const selector = /^\d+$/.test(named) ? `${flow}/${named}` : named;
        return (await selectRun(core, stores, selector, context, { command: "flow rollback --to", most: "run" })).run;
      }
    }),
};
