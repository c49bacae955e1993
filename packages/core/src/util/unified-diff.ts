/**
 * The lines by which two texts differ, in the unified format of diff and git. The shortest edit is found by Myers'
 * algorithm (An O(ND) Difference Algorithm and Its Variations, 1986), whose time grows with the number of changed lines.
 */

/** Lines of context around a change, as in diff and git. */
const CONTEXT = 3;

/** Changed lines that are searched for; texts that differ more are shown as replaced, because the search grows with its square. */
const MAX_EDITS = 2_000;

type Edit = { readonly kind: " " | "-" | "+"; readonly line: string; readonly left: number; readonly right: number };

/** @returns the hunks with their headers, without those of the files; empty for equal texts */
export function unifiedDiff(left: string, right: string): string {
  if (left === right) return "";
  const edits = editsOf(linesOf(left), linesOf(right));
  const lines: string[] = [];
  for (const hunk of hunksOf(edits)) {
    const [first] = hunk;
    const lefts = hunk.filter(({ kind }) => kind !== "+").length;
    const rights = hunk.filter(({ kind }) => kind !== "-").length;
    lines.push(`@@ -${range(first!.left, lefts)} +${range(first!.right, rights)} @@`);
    for (const { kind, line } of hunk)
      lines.push(line.endsWith("\n") ? `${kind}${line.slice(0, -1)}` : `${kind}${line}\n\\ No newline at end of file`);
  }
  return `${lines.join("\n")}\n`;
}

/** With their line breaks, so that a missing one at the end is a difference. */
function linesOf(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Begins at 1; a side without lines names the line before it. */
function range(before: number, count: number): string {
  return count === 1 ? String(before + 1) : `${count === 0 ? before : before + 1},${count}`;
}

function* hunksOf(edits: readonly Edit[]): Generator<readonly Edit[]> {
  let start = -1;
  let last = -1;
  for (const [index, { kind }] of edits.entries()) {
    if (kind === " ") continue;
    if (start >= 0 && index - last > 2 * CONTEXT) {
      yield edits.slice(start, last + 1 + CONTEXT);
      start = -1;
    }
    if (start < 0) start = Math.max(0, index - CONTEXT);
    last = index;
  }
  if (start >= 0) yield edits.slice(start, last + 1 + CONTEXT);
}

function editsOf(left: readonly string[], right: readonly string[]): readonly Edit[] {
  let head = 0;
  while (head < left.length && head < right.length && left[head] === right[head]) head++;
  let tail = 0;
  while (
    tail < left.length - head &&
    tail < right.length - head &&
    left[left.length - 1 - tail] === right[right.length - 1 - tail]
  )
    tail++;
  const middle = shortest(left.slice(head, left.length - tail), right.slice(head, right.length - tail));
  const edits: Edit[] = [];
  let [atLeft, atRight] = [0, 0];
  const add = (kind: Edit["kind"], line: string): void => {
    edits.push({ kind, line, left: atLeft, right: atRight });
    if (kind !== "+") atLeft++;
    if (kind !== "-") atRight++;
  };
  for (const line of left.slice(0, head)) add(" ", line);
  for (const [kind, line] of middle) add(kind, line);
  for (const line of left.slice(left.length - tail)) add(" ", line);
  return edits;
}

type Step = readonly [kind: Edit["kind"], line: string];

function shortest(left: readonly string[], right: readonly string[]): readonly Step[] {
  const most = Math.min(left.length + right.length, MAX_EDITS);
  const offset = most + 1;
  let furthest = new Int32Array(2 * offset + 1);
  const trace: Int32Array[] = [];
  for (let edits = 0; edits <= most; edits++) {
    trace.push(furthest);
    furthest = furthest.slice();
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const at = offset + diagonal;
      const isDown = diagonal === -edits || (diagonal !== edits && furthest[at - 1]! < furthest[at + 1]!);
      let x = isDown ? furthest[at + 1]! : furthest[at - 1]! + 1;
      while (x < left.length && x - diagonal < right.length && left[x] === right[x - diagonal]) x++;
      furthest[at] = x;
      if (x >= left.length && x - diagonal >= right.length) return walkBack(left, right, trace, offset);
    }
  }
  return [...left.map((line): Step => ["-", line]), ...right.map((line): Step => ["+", line])];
}

function walkBack(
  left: readonly string[],
  right: readonly string[],
  trace: readonly Int32Array[],
  offset: number,
): readonly Step[] {
  const steps: Step[] = [];
  let x = left.length;
  let y = right.length;
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const furthest = trace[edits]!;
    const diagonal = x - y;
    const at = offset + diagonal;
    const isDown = diagonal === -edits || (diagonal !== edits && furthest[at - 1]! < furthest[at + 1]!);
    const before = isDown ? diagonal + 1 : diagonal - 1;
    const fromX = edits === 0 ? 0 : furthest[offset + before]!;
    const fromY = edits === 0 ? 0 : fromX - before;
    while (x > fromX && y > fromY) {
      steps.push([" ", left[x - 1]!]);
      x--;
      y--;
    }
    if (edits === 0) break;
    if (isDown) steps.push(["+", right[--y]!]);
    else steps.push(["-", left[--x]!]);
  }
  return steps.reverse();
}
