// A reporter of the test runner that ends what hangs. Limits of tests are timers inside of their process: a loop that never
// gives way, or a call that never returns, holds them up as well, and with them the whole run.

/** Without the end of any test. The longest one takes two or three minutes on a slow machine. */
const MINUTES = 12;
/** For the runner to say how its processes ended. */
const GRACE_MS = 60_000;

export default class StuckTests {
  #running = new Map();
  #timer;

  onTestRunStart() {
    this.#wait();
  }

  onTestModuleStart({ relativeModuleId }) {
    this.#running.set(relativeModuleId, new Set());
    this.#wait();
  }

  onTestCaseReady({ module, fullName }) {
    this.#running.get(module.relativeModuleId)?.add(fullName);
    this.#wait();
  }

  onTestCaseResult({ module, fullName }) {
    this.#running.get(module.relativeModuleId)?.delete(fullName);
    this.#wait();
  }

  onTestModuleEnd({ relativeModuleId }) {
    this.#running.delete(relativeModuleId);
    this.#wait();
  }

  onTestRunEnd() {
    clearTimeout(this.#timer);
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end(), MINUTES * 60_000);
  }

  #end() {
    console.error(`No test has ended for ${MINUTES} minutes. These files are ended, with what they were at:`);
    for (const [file, tests] of this.#running) console.error(`  ${file}: ${[...tests].join("; ") || "not told"}`);
    for (const handle of process._getActiveHandles())
      if (handle.spawnargs?.some((word) => word.includes("vitest"))) handle.kill("SIGKILL");
    setTimeout(() => process.exit(1), GRACE_MS).unref();
  }
}
