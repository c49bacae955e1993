import path from "node:path";

/** A path as it is shown to the user: relative to the working directory where that is shorter. */
export function displayPath(file: string): string {
  const relative = path.relative("", file);
  return relative === "" || relative.startsWith("..") ? file : relative;
}
