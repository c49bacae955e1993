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
  #shownAt = Number.NEGATIVE_INFINITY;

  constructor(context: Context, verb: string, isJson: boolean) {
    this.#context = context;
    this.#verb = verb;
    this.#isOn = context.stderr.isTerminal && !isJson;
  }

  readonly show = ({ doneBytes, totalBytes }: { readonly doneBytes: number; readonly totalBytes: number }): void => {
    const now = this.#context.now();
    if (!this.#isOn || now - this.#shownAt < REDRAW_MS) return;
    this.#shownAt = now;
    const percent = totalBytes === 0 ? 100 : Math.floor((doneBytes / totalBytes) * 100);
    this.#context.stderr.write(
      `\r\x1b[K${byteSize(doneBytes)} of ${byteSize(totalBytes)} ${this.#verb} (${percent} %)`,
    );
  };

  /** Takes the line away. */
  end(): void {
    if (this.#shownAt !== Number.NEGATIVE_INFINITY) this.#context.stderr.write("\r\x1b[K");
  }
}

/** Does something that Ctrl-C and SIGTERM stop; then the answer is the exit code. */
export async function untilSignal<T>(
  context: Context,
  work: (control: { readonly signal: AbortSignal; readonly abort: () => void }) => Promise<T>,
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
    context.stderr.write("Stopped: nothing was kept\n");
    return code;
  } finally {
    release();
  }
}
