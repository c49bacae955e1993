/** `flow tag log`: the history of tags, what held them at a time, and moves as they happen. */
import type { TagEvent, TagHolding } from "@millrace/core/internal";
import type { Core } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { renderTable } from "../render/table.ts";
import { dateTime, plain } from "../render/text.ts";
import { type Command, type Context, DEBUG_FLAG, type Invocation, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { withStores } from "./with-stores.ts";

const DEFAULT_LIMIT = 50;
const PAGE = 1_000;

export const tagLogCommand: Command = {
  usage: "tag log [TAG] [--at DATE] [--flow FLOW] [--limit N] [--follow]",
  positionals: [
    {
      name: "TAG",
      help: "Only this tag, or those like 'prod:*' (default: all, with changes of policies)",
      required: false,
    },
  ],
  flags: [
    {
      name: "at",
      type: "text",
      placeholder: "DATE",
      notEmpty: "a date or a time",
      help: "Say what held tags then: 2026-11-17 (that whole day), 2026-11-17T12:00, or with Z for UTC",
    },
    { name: "flow", type: "text", placeholder: "FLOW", notEmpty: "a flow", help: "Only tags of runs of this flow" },
    { name: "limit", type: "number", short: "n", min: 1, help: `At most so many moves (default ${DEFAULT_LIMIT})` },
    { name: "follow", type: "boolean", short: "f", help: "Print moves as they happen, until Ctrl-C" },
    { ...JSON_FLAG, help: "Print one JSON object a line" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["tag log prod:v1", "who moved it, when and why"],
    ["tag log prod:v1 --at 2026-11-17", "what was production on that day"],
    ["tag log 'prod:*' --follow --json", "for a script that reacts to moves"],
  ],
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const tag = invocation.positionals[0]?.normalize("NFC");
      const flow = invocation.text("flow");
      const identified =
        flow === undefined ? undefined : await core.identifyFlow(stores.metadata, core.flowNameOf(flow));
      if (identified?.kind === "ambiguous") throw core.problemsError("Cannot read the log", [identified.problem]);
      if (identified?.kind === "unknown")
        throw new core.FlowError("FLOW_LINEAGE_NO_RUN", {
          message: `Cannot read the log of tags of "${flow}": the store has no run of this flow`,
          hint: "List the flows with flow runs",
        });
      const query = {
        ...(tag === undefined ? {} : { tag }),
        ...(identified === undefined ? {} : { flow: identified.flow }),
      };
      const at = invocation.text("at");
      if (at !== undefined)
        return await showAt(core, stores.metadata, { ...query, at: timeOf(core, at) }, invocation, context);
      if (invocation.isOn("follow")) return await follow(core, stores.metadata, query, invocation, context);
      return await showLog(core, stores.metadata, query, invocation, context);
    }),
};

type Metadata = Parameters<Core["tagHistory"]>[0];
interface LogQuery {
  readonly tag?: string;
  readonly flow?: { readonly project: string; readonly name: string };
}

async function showLog(
  core: Core,
  metadata: Metadata,
  { tag, flow }: LogQuery,
  invocation: Invocation,
  context: Context,
): Promise<number> {
  const limit = invocation.number("limit") ?? DEFAULT_LIMIT;
  const names = new core.RunNames(metadata);
  const events: TagEvent[] = [];
  let hasMore = false;
  const isFiltered = flow !== undefined || tag?.includes("*") === true;
  const pageSize = isFiltered ? PAGE : Math.min(PAGE, limit + 1);
  for (let before: number | undefined; ; ) {
    const page = await metadata.tagEvents({
      ...(tag === undefined || tag.includes("*") ? {} : { tag }),
      ...(before === undefined ? {} : { before }),
      limit: pageSize,
    });
    for (const event of page) {
      if (tag?.includes("*") === true && !core.matchesPattern(tag, event.tag)) continue;
      if (flow !== undefined && (event.run === undefined || !(await names.isOf(event.run, flow)))) continue;
      if (events.length === limit) hasMore = true;
      else events.push(event);
      if (hasMore) break;
    }
    if (hasMore || page.length < pageSize) break;
    before = page.at(-1)!.sequence;
  }
  const { stdout } = context;
  if (invocation.isOn("json")) {
    for (const event of events) stdout.write(`${JSON.stringify(await eventJson(event, names))}\n`);
    return EXIT.done;
  }
  if (events.length === 0) {
    context.stderr.write("No move\n");
    return EXIT.done;
  }
  const rows: string[][] = [];
  for (const event of events) rows.push(await eventRow(event, names));
  stdout.write(
    renderTable(
      [
        { title: "WHEN" },
        { title: "MOVE" },
        { title: "TAG", shrinkTo: 10 },
        { title: "RUN" },
        { title: "BY", shrinkTo: 8 },
        { title: "REASON", shrinkTo: 10 },
      ],
      rows,
      { paint: stdout.paint, width: stdout.columns() },
    ),
  );
  if (hasMore) context.stderr.write(stdout.paint.dim(`More: flow tag log --limit ${limit * 10}\n`));
  return EXIT.done;
}

async function eventRow(event: TagEvent, names: InstanceType<Core["RunNames"]>): Promise<string[]> {
  const { at, verb, action, tag, run, from, actor, reason = "" } = event;
  const words = { add: "added", remove: "removed", "set-policy": "policy set", "remove-policy": "policy removed" };
  const done = verb === "add" && action !== undefined ? PAST[action] : words[verb];
  const to = run === undefined ? "" : (await names.get(run)).name;
  const shown = from === undefined ? to : `${(await names.get(from)).name} → ${to}`;
  return [dateTime(at), done, plain(tag), plain(shown), plain(actor), plain(reason)];
}

const PAST = { promote: "promoted", replace: "replaced", rollback: "rolled back", request: "added" } as const;

async function eventJson(event: TagEvent, names: InstanceType<Core["RunNames"]>): Promise<object> {
  const { run, from, ...rest } = event;
  return {
    ...rest,
    ...(run === undefined ? {} : { run: (await names.get(run)).name, runId: run }),
    ...(from === undefined ? {} : { from: (await names.get(from)).name, fromId: from }),
  };
}

async function showAt(
  core: Core,
  metadata: Metadata,
  query: LogQuery & { readonly at: { readonly from: Date; readonly to: Date } },
  invocation: Invocation,
  context: Context,
): Promise<number> {
  const holdings = await core.tagHistory(metadata, query);
  const { stdout } = context;
  if (invocation.isOn("json")) {
    for (const holding of holdings) stdout.write(`${JSON.stringify(holdingJson(holding))}\n`);
    return EXIT.done;
  }
  if (holdings.length === 0) {
    context.stderr.write(`Nothing held ${query.tag === undefined ? "a tag" : `"${plain(query.tag)}"`} then\n`);
    return EXIT.done;
  }
  stdout.write(
    renderTable(
      [
        { title: "TAG", shrinkTo: 10 },
        { title: "RUN" },
        { title: "FROM" },
        { title: "UNTIL" },
        { title: "BY", shrinkTo: 8 },
        { title: "REASON", shrinkTo: 10 },
      ],
      holdings.map(({ tag, run, deletedAt, from, until, given }) => [
        plain(tag),
        plain(deletedAt === undefined ? run : `${run} (deleted)`),
        dateTime(from),
        until === undefined ? "now" : dateTime(until),
        plain(given.actor),
        plain(given.reason ?? ""),
      ]),
      { paint: stdout.paint, width: stdout.columns() },
    ),
  );
  return EXIT.done;
}

function holdingJson({ given, taken, ...holding }: TagHolding): object {
  return {
    ...holding,
    givenBy: given.actor,
    ...(given.reason === undefined ? {} : { reason: given.reason }),
    ...(taken === undefined ? {} : { takenBy: taken.actor }),
  };
}

/** Prints moves from now on, until the process is told to end. */
async function follow(
  core: Core,
  metadata: Metadata,
  query: LogQuery,
  invocation: Invocation,
  context: Context,
): Promise<number> {
  const stop = new AbortController();
  const release = context.signals.take(() => stop.abort());
  try {
    for await (const move of core.followTagMoves(metadata, { ...query, signal: stop.signal })) {
      const { at, verb, tag, run, from, actor } = move;
      const shown = from === undefined ? run : `${from} → ${run}`;
      context.stdout.write(
        invocation.isOn("json")
          ? `${JSON.stringify(move)}\n`
          : `${dateTime(at)}  ${verb === "add" ? "added" : "removed"}  ${plain(tag)}  ${plain(shown)}  ${plain(actor)}\n`,
      );
    }
    return EXIT.done;
  } finally {
    release();
  }
}

/** A date is its whole day, where the clock of the machine has it; a time is that instant. */
function timeOf(core: Core, text: string): { readonly from: Date; readonly to: Date } {
  const day = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  if (day !== null) {
    const [year, month, date] = day.slice(1).map(Number) as [number, number, number];
    const [from, to] = [new Date(year, month - 1, date), new Date(year, month - 1, date + 1)];
    if (from.getMonth() === month - 1 && from.getDate() === date) return { from, to };
  } else if (/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)?$/.test(text)) {
    const from = new Date(text.replace(" ", "T"));
    if (!Number.isNaN(from.getTime())) return { from, to: new Date(from.getTime() + 1) };
  }
  throw new core.FlowError("FLOW_TAG_BAD_TIME", {
    message: `Cannot tell when "${text}" is`,
    hint: "Write a date such as 2026-11-17, or a time such as 2026-11-17T12:00 or 2026-11-17T11:00Z",
  });
}
