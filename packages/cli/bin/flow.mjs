#!/usr/bin/env node
// Checks the Node before anything loads that an older one could not read, then hands over to the bundled command.
import module from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 15)) {
  console.error(
    `✗ Millrace needs Node 22.15 or newer, this is Node ${process.versions.node}\n  → Install a newer Node: https://nodejs.org`,
  );
  process.exit(2);
}
// Not Node's default below the shared temporary folder: cached code is executed, so it lies in the user's own folder.
module.enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "millrace", "compile"));
await import("../dist/flow.js");
