/** Results as text: a row has its figures in columns, and what they were made of below, as wide as the terminal. */
const WIDTHS = { value: 15, spread: 21, goal: 17, verdict: 7 };
const LEAST_WIDTH = 30;
const GAP = 2;

/** The heading above the rows of a topic. */
export function headingText(topic, columns) {
  return line({ what: topic, value: "median", spread: "quartiles", goal: "goal", verdict: "" }, columns);
}

/** @param {object} result of `runTrial` */
export function rowText({ what, unit, median, quartiles, goal, verdict, note }, columns) {
  const isMeasured = median !== undefined;
  const figures = line(
    {
      what: `  ${what}`,
      value: isMeasured ? quantity(median, unit) : "-",
      spread: isMeasured ? quartiles.map((value) => number(value, unit)).join(" - ") : "",
      goal: goal === undefined ? "" : `${goal.kind === "at least" ? ">=" : "<="} ${quantity(goal.limit, unit)}`,
      verdict: verdict === "none" ? "" : verdict,
    },
    columns,
  );
  return note === undefined
    ? figures
    : `${figures}\n${wrap(note, columns - 6)
        .map((part) => `      ${part}`)
        .join("\n")}`;
}

/** A value with its unit. */
export function quantity(value, unit) {
  if (unit === "share") return `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`;
  return unit === "count" ? number(value, unit) : `${number(value, unit)} ${unit === "bytes" ? "B" : unit}`;
}

function number(value, unit) {
  if (unit === "share") return (value * 100).toFixed(value < 0.1 ? 1 : 0);
  if (unit === "MB") return Math.round(value / 1e6).toLocaleString("en");
  if (unit === "x" || (Math.abs(value) < 10 && unit !== "count" && unit !== "bytes")) return trimmed(value, 2);
  if (unit === "ms" && value < 100) return trimmed(value, 1);
  return Math.round(value).toLocaleString("en");
}

function trimmed(value, digits) {
  return Number.isInteger(value) ? String(value) : value.toFixed(digits);
}

function line({ what, value, spread, goal, verdict }, columns) {
  const width = Math.max(LEAST_WIDTH, columns - Object.values(WIDTHS).reduce((sum, each) => sum + each + GAP, 0));
  const [first, ...more] = wrap(what, width);
  const gap = " ".repeat(GAP);
  const cells = [
    first.padEnd(width),
    value.padStart(WIDTHS.value),
    spread.padStart(WIDTHS.spread),
    goal.padStart(WIDTHS.goal),
    verdict.padEnd(WIDTHS.verdict),
  ];
  return [cells.join(gap).trimEnd(), ...more.map((part) => `    ${part}`)].join("\n");
}

/** Lines of at most so many characters; those after the first may be used with an indent of up to four. */
function wrap(text, width) {
  const indent = /^ */.exec(text)[0];
  const lines = [];
  let current = indent;
  for (const word of text.trim().split(/\s+/)) {
    const isFull = current.trim() !== "" && current.length + 1 + word.length > (lines.length === 0 ? width : width - 4);
    if (isFull) {
      lines.push(current);
      current = word;
    } else current = current.trim() === "" ? `${current}${word}` : `${current} ${word}`;
  }
  return [...lines, current];
}
