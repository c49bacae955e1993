import pc from "picocolors";
import { forTerminal } from "./text.ts";

/** The colour functions of one stream; each gives the text back unchanged when the stream shows no colours. */
export type Paint = ReturnType<typeof pc.createColors>;

/** Colour functions that colour, or leave every text as it is. */
export function createPaint(colours: boolean): Paint {
  return pc.createColors(colours);
}

/** One of the two streams of the command, with what the renderers must know about it. */
export interface Output {
  /**
   * Writes text, or bytes as they are. On a terminal all control sequences but colours are taken out of a text, whoever
   * wrote it; `cursor` goes before it untouched, in the same write, so that nothing flickers.
   */
  write(text: string | Uint8Array, cursor?: string): void;
  /** Whether somebody still reads it: not after `flow logs … | head` has seen enough. */
  readonly isOpen: () => boolean;
  /**
   * Waits until the reader has taken enough that more may be written without piling up here. Now and then it gives up the
   * turn: that the reader has gone is only told in a later one.
   */
  readonly drained: () => Promise<void>;
  readonly isTerminal: boolean;
  /** Infinity when the stream is no terminal: what is piped is not cut. */
  readonly columns: () => number;
  readonly rows: () => number;
  readonly paint: Paint;
}

/** Writes after which `drained` lets the event loop turn; that takes some microseconds. */
const WRITES_A_TURN = 16;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The output over a stream of the process. A reader that went away (`flow runs | head`) makes later writes silent; that a
 * disk is full is told to `onFailure`.
 */
export function streamOutput(
  stream: NodeJS.WriteStream,
  environment: Environment,
  onFailure: (error: Error) => void,
): Output {
  const write = stream.write.bind(stream);
  const closed = Promise.withResolvers<void>();
  let isOpen = true;
  let writes = 0;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (isOpen && error.code !== "EPIPE" && error.code !== "ERR_STREAM_DESTROYED") onFailure(error);
    isOpen = false;
    closed.resolve();
  });
  stream.on("close", () => closed.resolve());
  const isTerminal = stream.isTTY === true && environment.TERM !== "dumb";
  return {
    write: (text, cursor = "") => {
      writes++;
      if (!isOpen) return;
      if (typeof text === "string") write(cursor + (stream.isTTY === true ? forTerminal(text) : text));
      else write(text);
    },
    isOpen: () => isOpen,
    async drained() {
      if (writes >= WRITES_A_TURN) {
        writes = 0;
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (!isOpen || !stream.writableNeedDrain) return;
      await Promise.race([new Promise((resolve) => stream.once("drain", resolve)), closed.promise]);
    },
    isTerminal,
    columns: () => (isTerminal ? stream.columns || 80 : Number.POSITIVE_INFINITY),
    rows: () => stream.rows || 24,
    paint: createPaint(wantsColour(isTerminal, environment)),
  };
}

/** Whether to colour: NO_COLOR (not empty) forbids, FORCE_COLOR asks for it, else only on a terminal. */
export function wantsColour(isTerminal: boolean, environment: Environment): boolean {
  if (environment.NO_COLOR) return false;
  const force = environment.FORCE_COLOR;
  if (force !== undefined) return force !== "0" && force !== "false";
  return isTerminal;
}
