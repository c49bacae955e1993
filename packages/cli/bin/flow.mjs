#!/usr/bin/env node
// Checks the Node before anything loads that an older one could not read, then hands over to the bundled command.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 15)) {
  console.error(
    `✗ Millrace needs Node 22.15 or newer, this is Node ${process.versions.node} (${process.execPath})\n  → Install a newer Node: https://nodejs.org, and see that it comes first in PATH`,
  );
  process.exit(2);
}
// Taken without import, which would make Node load all that these modules are lazy about.
const [{ mkdirSync, statSync }, module, { homedir }, { isAbsolute, join }] = ["fs", "module", "os", "path"].map(
  (name) => process.getBuiltinModule(`node:${name}`),
);
// Not Node's default below the shared temporary folder: cached code is executed, so it lies in the user's own folder, and
// only where nobody else can write. Relative values are to be ignored, says the XDG base directory specification.
const chosen = process.env.XDG_CACHE_HOME ?? "";
const cache = join(isAbsolute(chosen) ? chosen : join(homedir(), ".cache"), "millrace", "compile");
if (isOwn(cache)) module.enableCompileCache(cache);
await import("../dist/flow.js");

function isOwn(folder) {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const user = process.geteuid?.();
    return [folder, join(folder, "..")]
      .map((each) => statSync(each))
      .every(({ uid, mode }) => user === undefined || (uid === user && (mode & 0o022) === 0));
  } catch {
    return false; // No home, or a full disk: then nothing is cached.
  }
}
