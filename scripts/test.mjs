// Runs the test suite and ends with one line that counts: "tests: N passed, N failed, N skipped".
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-test-"));
const report = path.join(folder, "report.json");
const vitest = path.join(root, "node_modules/vitest/vitest.mjs");
const stuck = path.join(root, "scripts/stuck-tests.mjs");
const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
// All tries of a test, as they are asked for by these, may take hours.
const { MILLRACE_FAULTS, MILLRACE_MATRIX, MILLRACE_SCALE } = process.env;
if ([MILLRACE_FAULTS, MILLRACE_MATRIX, MILLRACE_SCALE].every((tries) => tries === undefined))
  reporters.push(`--reporter=${stuck}`);
const result = spawnSync(process.execPath, [vitest, "run", ...reporters, ...process.argv.slice(2)], {
  stdio: "inherit",
  cwd: root,
});
const counts = fs.existsSync(report) ? JSON.parse(fs.readFileSync(report, "utf8")) : undefined;
fs.rmSync(folder, { recursive: true, force: true });
if (counts === undefined) {
  console.error("The test runner wrote no report");
  process.exit(result.status || 1);
}
// A file that cannot be loaded has no failed test of its own, and still is a failure.
const brokenFiles = counts.testResults.filter(
  (file) => file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed"),
).length;
const failed = counts.numFailedTests + brokenFiles;
const skipped = counts.numPendingTests + counts.numTodoTests;
console.log(`tests: ${counts.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(result.status !== 0 || failed > 0 || counts.numPassedTests === 0 ? 1 : 0);
