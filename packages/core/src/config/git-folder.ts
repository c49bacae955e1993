/** What the files of a git repository tell without git: where it is, and where it came from. */
import fs from "node:fs";
import path from "node:path";

/** The folder of the repository around a folder, with its settings: of a linked working tree that of the main one. */
export function findGitFolder(cwd: string): string | undefined {
  for (let folder = path.resolve(cwd); ; folder = path.dirname(folder)) {
    const found = gitFolderAt(path.join(folder, ".git"));
    if (found !== undefined) return found;
    if (folder === path.dirname(folder)) return undefined;
  }
}

function gitFolderAt(entry: string): string | undefined {
  try {
    if (fs.statSync(entry).isDirectory()) return entry;
    // A linked working tree, or a submodule: a file that says where the repository is.
    const [, target] = /^gitdir: (.+)$/m.exec(fs.readFileSync(entry, "utf8")) ?? [];
    if (target === undefined) return undefined;
    const folder = path.resolve(path.dirname(entry), target.trim());
    const common = readText(path.join(folder, "commondir"))?.trim();
    return common === undefined ? folder : path.resolve(folder, common);
  } catch {
    return undefined;
  }
}

/**
 * The address of the remote "origin" in the settings of a repository; undefined where there is none.
 *
 * @returns "ask" for settings that only git reads right: they include others, differ from working tree to working tree, or
 *   write the address with quotes or escapes
 */
export function originInConfig(gitFolder: string): { readonly url: string } | undefined | "ask" {
  const text = readText(path.join(gitFolder, "config"));
  if (text === undefined || /^\s*\[\s*include|worktreeConfig|\\/im.test(text)) return "ask";
  let isOrigin = false;
  let url: string | undefined;
  for (const line of text.split("\n")) {
    if (/^\s*\[/.test(line)) {
      isOrigin = /^\s*\[\s*remote\s+"origin"\s*\]\s*$/i.test(line);
      if (!isOrigin && /remote[\s."]+origin/i.test(line)) return "ask"; // as [remote.origin], or with more behind it
      continue;
    }
    const [, value] = (isOrigin ? /^\s*url\s*=\s*(.*?)\s*$/i.exec(line) : null) ?? [];
    if (value === undefined) continue;
    if (/["#;]/.test(value)) return "ask";
    url = value; // of several, git gives the last
  }
  return url === undefined || url === "" ? undefined : { url };
}

function readText(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
