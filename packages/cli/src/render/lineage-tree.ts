/**
 * Lineage as a tree. Each run stands in full once, where it is nearest to the run that was asked about; wherever else a way
 * leads to it, its name alone says so. So circles end, and what many runs share is not repeated.
 */
import type { Lineage, LineageLink, LineageRun } from "@millrace/core/internal";
import type { Core } from "../core.ts";
import type { Paint } from "./output.ts";
import { byteSize, count, dateTime, plain, truncate } from "./text.ts";

/** Artifacts and tasks that one line names; the rest is counted. */
const MAX_NAMES = 12;

/** Digits of a digest that people compare; `--format json` has them all. */
const DIGITS = 12;

/** Levels that are set in one below the other; what is deeper stands at that level with its depth in front. */
const MAX_LEVELS = 30;

export interface LineageStyle {
  readonly paint: Paint;
  readonly width: number;
}

type Words = Pick<Core, "describeLink" | "describeState" | "lineageRunName">;

/** The tree as text, one line a fact, ending with a newline. */
export function renderLineage(lineage: Lineage, words: Words, { paint, width }: LineageStyle): string {
  const tree = new Tree(lineage);
  const root = tree.run(lineage.root);
  const lines: string[] = lineage.artifact === undefined ? [] : artifactLines(lineage, paint);
  lines.push(headOf(root, words, paint), ...factsOf(root, paint).map((fact) => `  ${fact}`));
  const shown = new Set([lineage.root]);
  // A stack and no recursion: lineage may be deeper than the stack of the program.
  // Three columns a level: a third of the terminal may go to them.
  const levels = Math.min(MAX_LEVELS, Math.max(2, Math.floor(width / 9)));
  const stack: { readonly entry: Entry; readonly prefix: string; readonly level: number; readonly isLast: boolean }[] =
    [];
  const push = (id: string, prefix: string, level: number): void => {
    const entries = tree.below(id);
    for (let at = entries.length - 1; at >= 0; at--)
      stack.push({ entry: entries[at]!, prefix, level, isLast: at === entries.length - 1 });
  };
  push(lineage.root, "", 1);
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { entry, prefix, level, isLast } = next;
    const { link, far, isExpanded } = entry;
    const run = tree.run(far);
    const label = plain(words.describeLink(link));
    const isDeep = level > levels;
    const below = isDeep ? prefix : `${prefix}${isLast ? "   " : "│  "}`;
    const place = isExpanded ? "" : paint.dim(` (${shown.has(far) ? "above" : "below"})`);
    const head = isExpanded ? headOf(run, words, paint) : paint.bold(plain(words.lineageRunName(run)));
    lines.push(
      `${paint.dim(`${prefix}${isLast ? "└─" : "├─"}`)} ${isDeep ? `(${level}) ` : ""}${label}: ${head}${place}`,
    );
    const bar = tree.below(far).length > 0 && isExpanded ? "│  " : "   ";
    const facts = [...readLines(link, paint), ...(isExpanded ? factsOf(run, paint) : [])];
    for (const fact of facts) lines.push(`${paint.dim(below + bar)}${fact}`);
    if (!isExpanded) continue;
    shown.add(far);
    push(far, below, level + 1);
  }
  return `${lines.map((line) => truncate(line, width)).join("\n")}\n`;
}

interface Entry {
  readonly link: LineageLink;
  /** Id of the run at the other end. */
  readonly far: string;
  /** Whether the run stands here in full. */
  readonly isExpanded: boolean;
}

/** Which run stands under which: each under the first link that leads to it, nearest first. */
class Tree {
  readonly #runs: ReadonlyMap<string, LineageRun>;
  readonly #entries = new Map<string, Entry[]>();

  constructor({ runs, links, root, direction }: Lineage) {
    this.#runs = new Map(runs.map((run) => [run.id, run]));
    const placed = new Map<string, LineageLink>();
    for (const link of links) {
      const [near, far] = direction === "up" ? [link.to, link.from] : [link.from, link.to];
      const isExpanded =
        far !== root && !placed.has(far) && this.run(near).depth + 1 === this.run(far).depth && near !== far;
      // A run and those inside its steps lead to each other: the way that one came by is not shown again.
      if (isWayBack(link, placed.get(near))) continue;
      if (isExpanded) placed.set(far, link);
      const entries = this.#entries.get(near) ?? [];
      entries.push({ link, far, isExpanded });
      this.#entries.set(near, entries);
    }
  }

  run(id: string): LineageRun {
    return this.#runs.get(id)!;
  }

  below(id: string): readonly Entry[] {
    return this.#entries.get(id) ?? [];
  }
}

function isWayBack(link: LineageLink, cameBy: LineageLink | undefined): boolean {
  if (cameBy === undefined || link.from !== cameBy.to || link.to !== cameBy.from) return false;
  return (link.kind === "call" && cameBy.kind === "start") || (link.kind === "start" && cameBy.kind === "call");
}

function headOf(run: LineageRun, words: Words, paint: Paint): string {
  const state = words.describeState(run);
  const facts = [
    ...(run.createdAt === undefined ? [] : [dateTime(run.createdAt)]),
    ...(run.codePackage === undefined ? [] : [`code ${run.codePackage.slice(0, DIGITS)}`]),
    ...(run.tags ?? []).map(plain),
  ];
  const name = paint.bold(plain(words.lineageRunName(run)));
  const colour = run.isHere && run.status !== "failed" ? paint.yellow : paint.red;
  return `${name}${state === undefined ? "" : ` ${colour(plain(state))}`}  ${paint.dim(facts.join(", "))}`.trimEnd();
}

function factsOf(run: LineageRun, paint: Paint): readonly string[] {
  const parameters = [
    ...Object.entries(run.parameters ?? {}).map(
      ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
    ),
    ...(run.secretParameters ?? []).map((name) => `${name}=(secret)`),
  ];
  const reason = run.deleted?.reason;
  return [
    ...(run.deleted === undefined
      ? []
      : [
          `by ${run.deleted.actor} on ${run.deleted.host}, ${run.deleted.via}${reason === undefined ? "" : `: ${reason}`}`,
        ]),
    ...(parameters.length === 0 ? [] : [`parameters ${parameters.join(" ")}`]),
    ...(run.data ?? []).map(({ name, kind, digest }) => `${kind} ${name} ${digest.slice(0, DIGITS)}`),
    ...(run.more === undefined ? [] : [`… ${count(run.more, "more run")} behind it`]),
  ].map((fact) => paint.dim(plain(fact)));
}

/** `read modeler 0123456789ab (start), rows 0123456789ab (12 tasks of fit)` */
function readLines({ kind, reads }: LineageLink, paint: Paint): readonly string[] {
  if (reads.length === 0) return kind === "upstream" ? [paint.dim("nothing was read from it")] : [];
  const names = reads
    .slice(0, MAX_NAMES)
    .map(({ artifact, digest, tasks, steps, task }) =>
      plain(`${artifact} ${digest.slice(0, DIGITS)} (${tasks === 1 ? task : `${tasks} tasks of ${steps.join(", ")}`})`),
    );
  const more = reads.length - names.length;
  return [`read ${names.join(", ")}${more > 0 ? `, ${more} more` : ""}`];
}

function artifactLines({ artifact, direction }: Lineage, paint: Paint): string[] {
  const { name, kind, codec, digest, sizeBytes, task, takenFrom, basis, inputs = [], values } = artifact!;
  const lines = [
    `${paint.bold(plain(name))} ${paint.dim(`${kind}, ${plain(codec)}, ${byteSize(sizeBytes)}, sha256 ${digest}`)}`,
  ];
  if (task !== undefined) {
    const from =
      takenFrom === undefined ? "" : `, taken over from ${takenFrom.task ?? "a run that is gone"} (${takenFrom.kind})`;
    lines.push(`  set by ${plain(task)}${plain(from)}`);
  }
  if (direction === "up" && task !== undefined) {
    lines.push(
      basis === "recorded"
        ? "  that task read, of this run:"
        : "  that task began with (what it read of these is not recorded):",
    );
    for (const [from, group] of Map.groupBy(inputs, (input) => input.from)) {
      const names = group
        .slice(0, MAX_NAMES)
        .map((input) => `${input.name}${input.digest === undefined ? "" : ` ${input.digest.slice(0, DIGITS)}`}`);
      const more = group.length - names.length;
      const tasks = group[0]!.tasks;
      lines.push(
        `    ${plain(from)}${tasks === 1 ? "" : ` (${tasks} tasks)`}: ${plain(names.join(", "))}${more > 0 ? `, ${more} more` : ""}`,
      );
    }
    if (inputs.length === 0) lines.push("    nothing");
    lines.push(
      values === undefined
        ? "  which parameters and files it read is not recorded"
        : `  of parameters, constants and files it read: ${plain(values.join(", ")) || "none"}`,
    );
  }
  return [...lines, ""];
}
