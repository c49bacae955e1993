/** An issue as zod reports it, as far as its text is looked at here. */
export interface SchemaIssue {
  readonly code?: string | undefined;
  readonly message: string;
  readonly path: readonly PropertyKey[];
  readonly values?: readonly unknown[];
  readonly expected?: unknown;
}

/** One issue in words: `Choices: "a", "b"` for a wrong choice, otherwise zod's own sentence, with the place inside the value. */
export function issueText(issue: SchemaIssue | undefined): string {
  if (issue === undefined) return "Invalid value";
  const where = pathText(issue.path);
  const what =
    issue.code === "invalid_value" && issue.values !== undefined && issue.values.length > 1
      ? `Choices: ${issue.values.map((value) => JSON.stringify(value)).join(", ")}`
      : issue.code === "invalid_type" && issue.expected === "date"
        ? "Not a date" // zod's own words for an invalid date are "expected date, received Date"
        : issue.message;
  return where === "" ? what : `${where}: ${what}`;
}

function pathText(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path)
    text += typeof part === "number" ? `[${part}]` : text === "" ? String(part) : `.${String(part)}`;
  return text;
}
