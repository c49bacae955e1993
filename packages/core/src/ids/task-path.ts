/**
 * Where a task stands inside its run: the step and, for each foreach that is open there, the index of the item, from
 * the outermost in; the rounds of the loops that are open follow the index after `~`. See docs/formats/ids.md.
 *
 *     Train/17/start            step "start", path ""
 *     Train/17/fold/1.2         item 2 of item 1: path "1.2"
 *     Train/17/refine/0~4       the fifth round of a loop over item 0: path "0~4"
 *     Train/17/polish/~1~2      the third round of a loop in the second round of another: path "~1~2"
 */
export type TaskPath = string;

/** The path of item `index` below a path. */
export function childPath(parent: TaskPath, index: number): TaskPath {
  return parent === "" ? String(index) : `${parent}.${index}`;
}

/** The path of a round (from 0) of a loop that is entered at a path. */
export function roundPath(outer: TaskPath, round: number): TaskPath {
  return `${outer}~${round}`;
}

/** The path of the scope around the innermost item or round of a path. */
export function outerPath(path: TaskPath): TaskPath {
  return path.slice(0, Math.max(path.lastIndexOf("."), path.lastIndexOf("~"), 0));
}

/** The path of the next round, for the path of a task in a round of a loop. */
export function nextRoundPath(path: TaskPath): TaskPath {
  return roundPath(outerPath(path), Number(path.slice(path.lastIndexOf("~") + 1)) + 1);
}

/** The indices of a path, outermost first, without rounds. */
export function pathIndices(path: TaskPath): readonly number[] {
  // A loop outside any foreach has a round and no index: "~4.1" is item 1 within its fifth round.
  return path
    .split(".")
    .map((part) => part.replace(/~.*/, ""))
    .filter((index) => index !== "")
    .map(Number);
}

const NUMBER = "(?:0|[1-9]\\d*)";
const ROUND = `(?:~${NUMBER})`;
const TASK_PATH = new RegExp(`^(?:(?:${NUMBER}${ROUND}*|${ROUND}+)(?:\\.${NUMBER}${ROUND}*)*)?$`);

/** Whether a text is a well-formed task path. */
export function isTaskPath(text: string): boolean {
  return TASK_PATH.test(text);
}
