/** Where the runner notes threads that could not be ended (`runner/stuck-workers.ts`). */
const STUCK = Symbol.for("millrace.stuckWorkers");

/**
 * Ends the program with a code, whatever its threads do: Node waits for each of them when it exits, and one that runs a
 * loop which cannot be interrupted would keep the command for ever. Then a shell takes this program's place, and exits.
 */
export function endProcess(code: number): never {
  const { execve } = process as { execve?: (file: string, words: readonly string[], environment: object) => never };
  if (STUCK in globalThis && execve !== undefined) execve("/bin/sh", ["sh", "-c", `exit ${code}`], {});
  if (STUCK in globalThis) process.kill(process.pid, "SIGKILL");
  process.exit(code);
}
