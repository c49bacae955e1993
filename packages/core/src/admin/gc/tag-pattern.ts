/** Whether a text is like one of some patterns: `*` stands for any characters, `?` for one, the rest for itself. */
export function matchesAny(patterns: readonly string[]): (text: string) => boolean {
  const all = patterns.map((pattern) => [...pattern.normalize("NFC")]);
  return (text) => all.some((pattern) => matches(pattern, [...text]));
}

/** Steps through both, and goes back to the last star where they part: no pattern takes more than length times length. */
function matches(pattern: readonly string[], text: readonly string[]): boolean {
  let at = 0;
  let star = -1;
  let starAt = 0;
  for (let index = 0; index < text.length; ) {
    const wanted = pattern[at];
    if (wanted === "*") {
      star = at++;
      starAt = index;
    } else if (wanted !== undefined && (wanted === "?" || wanted === text[index])) {
      at++;
      index++;
    } else if (star >= 0) {
      at = star + 1;
      index = ++starAt;
    } else {
      return false;
    }
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
