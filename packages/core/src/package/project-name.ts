import path from "node:path";
import { foldersUpwards, isInside, readPackageJson } from "./package-root.ts";

/** The `name` of the nearest package.json that has one (`{ "type": "module" }` in a folder names nothing), or "local". */
export function projectName(file: string, root?: string): string {
  const last = root !== undefined && isInside(file, root) ? root : undefined;
  for (const folder of foldersUpwards(path.dirname(file), last)) {
    const name = readPackageJson(path.join(folder, "package.json"))?.name;
    if (typeof name === "string" && name !== "") return name;
  }
  return "local";
}
