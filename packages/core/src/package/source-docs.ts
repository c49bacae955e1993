import path from "node:path";
import type { Comment } from "oxc-parser";

/** A class as it is written: its place, its doc comment and its members. */
export interface WrittenClass {
  readonly file: string;
  readonly name: string;
  readonly isAbstract: boolean;
  readonly place: Place;
  readonly doc?: string;
  readonly members: ReadonlyMap<string, WrittenMember>;
}

export interface WrittenMember {
  readonly place: Place;
  readonly doc?: string;
}

/** Counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** The few properties that are read of the parser's nodes. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}
interface ClassNode extends Node {
  readonly id: (Node & { readonly name: string }) | null;
  readonly abstract?: boolean;
  readonly body: { readonly body: readonly MemberNode[] } & Node;
}
interface MemberNode extends Node {
  readonly key?: Node & { readonly name?: string; readonly value?: unknown };
  readonly computed?: boolean;
}

/** The named classes of a module, with the doc comments above them and above their members. */
export async function readWrittenClasses(file: string, text: string): Promise<readonly WrittenClass[]> {
  if (!/\bclass\b/.test(text)) return [];
  const { parseSync, Visitor } = await import("oxc-parser");
  const parsed = parseSync(path.basename(file), text);
  if (parsed.errors.length > 0) return [];
  const docs = parsed.comments.filter((comment) => comment.type === "Block" && comment.value.startsWith("*"));
  const placeOf = placesIn(text);
  const classes: WrittenClass[] = [];
  const take = (node: ClassNode, name: string | undefined, from: number) => {
    if (name === undefined) return;
    const doc = docBefore(docs, text, from, node.id?.start ?? node.start);
    classes.push({
      file,
      name,
      isAbstract: node.abstract === true,
      place: placeOf(node.id?.start ?? node.start),
      ...(doc === undefined ? {} : { doc }),
      members: membersOf(node),
    });
  };
  const membersOf = (node: ClassNode): ReadonlyMap<string, WrittenMember> => {
    const members = new Map<string, WrittenMember>();
    let previousEnd = node.body.start + 1;
    for (const member of node.body.body) {
      const name = memberName(member);
      if (name !== undefined && member.key !== undefined && !members.has(name)) {
        const doc = docBefore(docs, text, previousEnd, member.key.start);
        members.set(name, { place: placeOf(member.key.start), ...(doc === undefined ? {} : { doc }) });
      }
      previousEnd = member.end;
    }
    return members;
  };
  // The end of the statement before a class bounds the search for its comment.
  let previousEnd = 0;
  for (const statement of parsed.program.body) {
    const from = previousEnd;
    const seen = classes.length;
    new Visitor({
      ClassDeclaration: (node) =>
        take(node as unknown as ClassNode, node.id?.name, classes.length === seen ? from : node.start),
      VariableDeclarator: (node) => {
        if (node.init?.type === "ClassExpression" && node.id.type === "Identifier") {
          take(
            node.init as unknown as ClassNode,
            node.init.id?.name ?? node.id.name,
            classes.length === seen ? from : node.start,
          );
        }
      },
    }).visit({ ...parsed.program, body: [statement] });
    previousEnd = statement.end;
  }
  return classes;
}

/** The first paragraph of a doc comment as one line, tags (`@param` …) left out; undefined when nothing is left. */
export function firstParagraph(doc: string | undefined): string | undefined {
  const paragraph: string[] = [];
  for (const line of doc?.split("\n") ?? []) {
    if (/^@\w/.test(line) || (line === "" && paragraph.length > 0)) break;
    if (line !== "") paragraph.push(line);
  }
  return paragraph.length === 0 ? undefined : paragraph.join(" ");
}

/** The last doc comment between two offsets, without its stars; decorators may stand between it and the name. */
function docBefore(docs: readonly Comment[], text: string, from: number, to: number): string | undefined {
  const comment = docs.findLast((candidate) => candidate.start >= from && candidate.end <= to);
  // A comment of the line before it belongs to that line: `const x = 1; /** about x */`.
  if (
    comment === undefined ||
    (from > 0 &&
      !text.slice(from, comment.start).includes("\n") &&
      /\S/.test(text.slice(0, from).split("\n").at(-1) ?? "") &&
      text[from - 1] !== "{")
  )
    return undefined;
  const lines = comment.value
    .slice(1)
    .split("\n")
    .map((line) => line.replace(/^\s*\*? ?/, "").trimEnd());
  return lines.join("\n").trim();
}

function memberName(member: MemberNode): string | undefined {
  if (member.computed === true || member.key === undefined) return undefined;
  if (member.key.type === "Identifier") return member.key.name;
  return typeof member.key.value === "string" ? member.key.value : undefined;
}

function placesIn(text: string): (offset: number) => Place {
  const starts = [0];
  for (let index = text.indexOf("\n"); index !== -1; index = text.indexOf("\n", index + 1)) starts.push(index + 1);
  return (offset) => {
    let line = starts.length;
    while (line > 1 && starts[line - 1]! > offset) line--;
    return { line, column: offset - starts[line - 1]! + 1 };
  };
}
