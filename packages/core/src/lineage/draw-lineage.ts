/** Lineage as a drawing: arrows lead from what was there to what was made from it, whichever way it was followed. */

import type { Lineage, LineageLink, LineageRun } from "../events/lineage.ts";
import { describeSelector } from "./describe-selector.ts";

/** Names of artifacts on one arrow; the rest is counted. */
const MAX_READS = 8;

/** What a run is called: its alias, else its id. */
export function lineageRunName({ run, id }: LineageRun): string {
  return run ?? id;
}

/** What a link is, in a few words: `model (prod:v1)`, `called by fold/3`, `fork`. */
export function describeLink(link: LineageLink): string {
  const { kind, name, selector, task, tasks } = link;
  switch (kind) {
    case "upstream":
      return selector === undefined ? name! : `${name} (${describeSelector(selector)})`;
    case "read":
      return name ?? "read by code";
    case "call":
      return `called by ${task}`;
    case "start":
      return `started by ${task}`;
    case "fork":
      return "fork";
    case "cache":
      return `step cache (${tasks} ${tasks === 1 ? "task" : "tasks"})`;
  }
}

/** What became of a run, where that is not that it succeeded; undefined when it did. */
export function describeState({ isHere, deleted, status }: LineageRun): string | undefined {
  if (deleted !== undefined) return `deleted ${deleted.at.slice(0, 10)} by ${deleted.actor}`;
  if (!isHere) return "not in this store";
  return status === "succeeded" ? undefined : status;
}

/** Lineage in the DOT language of Graphviz. */
export function lineageDot(lineage: Lineage): string {
  const ids = idsOf(lineage);
  return [
    "digraph lineage {",
    "  rankdir=LR;",
    '  node [shape=box, fontname="sans-serif"];',
    '  edge [fontname="sans-serif"];',
    ...lineage.runs.map((run) => {
      const style = run.isHere ? (run.id === lineage.root ? ", style=bold" : "") : ", style=dashed";
      return `  ${ids.get(run.id)} [label=${quoteDot(labelOf(run).join("\n"))}${style}];`;
    }),
    ...lineage.links.map(
      (link) => `  ${ids.get(link.from)} -> ${ids.get(link.to)} [label=${quoteDot(linkLabel(link).join("\n"))}];`,
    ),
    "}",
    "",
  ].join("\n");
}

/** Lineage as a Mermaid flowchart. */
export function lineageMermaid(lineage: Lineage): string {
  const ids = idsOf(lineage);
  return [
    "flowchart LR",
    ...lineage.runs.map((run) => {
      const text = quoteMermaid(labelOf(run));
      return `  ${ids.get(run.id)}${run.isHere ? `[${text}]` : `([${text}])`}`;
    }),
    ...lineage.links.map((link) => `  ${ids.get(link.from)} -->|${quoteMermaid(linkLabel(link))}| ${ids.get(link.to)}`),
    "",
  ].join("\n");
}

/** Names come from users, and words such as "end" mean something to the drawing programs: they never serve as ids. */
function idsOf({ runs }: Lineage): ReadonlyMap<string, string> {
  return new Map(runs.map(({ id }, index) => [id, `r${index}`]));
}

function labelOf(run: LineageRun): readonly string[] {
  const state = describeState(run);
  return [
    lineageRunName(run),
    ...(state === undefined ? [] : [state]),
    ...(run.codePackage === undefined ? [] : [`code ${run.codePackage.slice(0, 12)}`]),
    ...(run.more === undefined ? [] : [`${run.more} more`]),
  ];
}

function linkLabel(link: LineageLink): readonly string[] {
  const names = link.reads.map(({ artifact, digest }) => `${artifact} ${digest.slice(0, 12)}`);
  const more = names.length - MAX_READS;
  return [describeLink(link), ...names.slice(0, MAX_READS), ...(more > 0 ? [`${more} more`] : [])];
}

function quoteDot(text: string): string {
  return `"${text
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll(/\r?\n|\r/g, "\\n")}"`;
}

/** Entities for what would end the string or be read as markup; lines are set apart by the one tag that is ours. */
function quoteMermaid(lines: readonly string[]): string {
  const escaped = lines.map((line) =>
    line
      .replaceAll("#", "#35;")
      .replaceAll('"', "#quot;")
      .replaceAll("<", "#lt;")
      .replaceAll(">", "#gt;")
      .replaceAll("`", "#96;")
      .replaceAll(/\r?\n|\r/g, " "),
  );
  return `"${escaped.join("<br/>")}"`;
}
