import { EXIT } from "../exit-code.ts";
import { byteSize } from "../render/text.ts";
import type { Context } from "./command.ts";

/** Redrawn at most so often. */
const REDRAW_MS = 100;

/** How far a transfer is: a line of stderr that is redrawn on a terminal. Elsewhere it shows nothing: there is one outcome. */
export class TransferLine {
  readonly #context: Context;
  readonly #verb: string;
  readonly #isOn: boolean;
  readonly #begunAt: number;
  #shownAt = Number.NEGATIVE_INFINITY;

  constructor(context: Context, verb: string, isJson: boolean) {
    this.#context = context;
    this.#verb = verb;
    this.#begunAt = context.now();
    this.#isOn = context.stderr.isTerminal && !isJson;
  }

  readonly show = ({ doneBytes, totalBytes }: { readonly doneBytes: number; readonly totalBytes: number }): void => {
    const percent = totalBytes === 0 ? 100 : Math.floor((doneBytes / totalBytes) * 100);
    const seconds = (this.#context.now() - this.#begunAt) / 1_000;
    const rate = seconds < 1 ? "" : `, ${byteSize(doneBytes / seconds)}/s`;
    this.say(`${byteSize(doneBytes)} of ${byteSize(totalBytes)} ${this.#verb} (${percent} %${rate})`);
  };

  /** Other progress on the same line. */
  say(text: string): void {
    const now = this.#context.now();
    if (!this.#isOn || now - this.#shownAt < REDRAW_MS) return;
    this.#shownAt = now;
    this.#context.stderr.write(`\r\x1b[K${text}`);
  }

  /** Takes the line away. */
  end(): void {
    if (this.#shownAt !== Number.NEGATIVE_INFINITY) this.#context.stderr.write("\r\x1b[K");
  }
}

/**
 * Does something that Ctrl-C and SIGTERM stop; then the answer is the exit code.
 *
 * @param stopped  what is said then
 */
export async function untilSignal<T>(
  context: Context,
  work: (control: { readonly signal: AbortSignal; readonly abort: () => void }) => Promise<T>,
  stopped = "Stopped: nothing was kept",
): Promise<T | number> {
  const controller = new AbortController();
  let code: number = EXIT.failed;
  const release = context.signals.take((signal) => {
    code = signal === "SIGINT" ? EXIT.interrupted : EXIT.terminated;
    controller.abort();
  });
  try {
    return await work({ signal: controller.signal, abort: () => controller.abort() });
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    context.stderr.write(`${stopped}\n`);
    return code;
  } finally {
    release();
  }
}
