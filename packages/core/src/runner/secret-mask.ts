/**
 * Puts `***` in the place of secret values in what leaves a worker. A value is looked for as it is, as JSON and URLs write
 * it, and, when it has several lines, line by line. What a program does to a value beyond that cannot be seen.
 */
import type { SerializedError } from "../errors/flow-error.ts";

const MASK = "***";
/** What is shorter keeps no secret, and masking it would spoil every text. */
export const LEAST_CHARACTERS = 3;
/** Lines of a secret of several lines that count as secret themselves. */
const LEAST_LINE_CHARACTERS = 8;

/** The texts and numbers of a value, which a program may write one by one; values inside of each other to some depth. */
function textsIn(value: unknown, depth = 0): readonly string[] {
  if (typeof value === "string") return [value];
  if (typeof value === "number" || typeof value === "bigint") return [String(value)];
  if (typeof value !== "object" || value === null || depth > 8) return [];
  return Object.values(value).flatMap((inside) => textsIn(inside, depth + 1));
}

export class SecretMask {
  readonly #forms: readonly string[];
  readonly #pattern: RegExp | undefined;

  constructor(values: Iterable<unknown>) {
    const forms = new Set<string>();
    for (const value of values) for (const text of textsIn(value)) for (const form of formsOf(text)) forms.add(form);
    // The longest first: of two that begin alike the longer one is to be masked as a whole.
    this.#forms = [...forms].sort((a, b) => b.length - a.length);
    this.#pattern = this.#forms.length === 0 ? undefined : new RegExp(this.#forms.map(literal).join("|"), "g");
  }

  /** A text without secrets. */
  text(text: string): string {
    return this.#pattern === undefined ? text : text.replaceAll(this.#pattern, MASK);
  }

  /** An error, with all of its texts, without secrets. */
  error(error: SerializedError): SerializedError {
    return this.#pattern === undefined ? error : (this.#plain(error) as SerializedError);
  }

  /** For a text that comes in pieces: a secret may begin in one and end in the next. */
  stream(): MaskedStream {
    let held = "";
    return {
      push: (piece) => {
        if (this.#pattern === undefined) return piece;
        const text = held + piece;
        const end = this.#settledEnd(text);
        held = text.slice(end);
        return this.text(text.slice(0, end));
      },
      end: () => {
        const rest = this.text(held);
        held = "";
        return rest;
      },
    };
  }

  /** Up to where a text can be told without knowing what follows it. */
  #settledEnd(text: string): number {
    let end = text.length;
    for (const form of this.#forms) {
      let from = Math.max(0, text.length - form.length + 1);
      for (from = text.indexOf(form[0]!, from); from !== -1 && from < end; from = text.indexOf(form[0]!, from + 1))
        if (form.startsWith(text.slice(from))) end = from;
    }
    // A secret that is complete is not torn apart because its last letters could begin another one.
    for (const { index, 0: found } of text.matchAll(this.#pattern!))
      if (index < end && index + found.length > end) return index + found.length;
    return end;
  }

  #plain(value: unknown): unknown {
    if (typeof value === "string") return this.text(value);
    if (Array.isArray(value)) return value.map((item) => this.#plain(item));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [this.text(key), this.#plain(item)]));
  }
}

/** A text in pieces; `end` gives what was held back for the next piece. */
export interface MaskedStream {
  push(piece: string): string;
  end(): string;
}

function formsOf(value: string): readonly string[] {
  const lines = value.split(/\r?\n/).filter((line) => line.length >= LEAST_LINE_CHARACTERS);
  const plain = [value, value.trim(), ...lines];
  const written = plain.flatMap((text) => [text, JSON.stringify(text).slice(1, -1), urlForm(text)]);
  return written.filter((text) => text.length >= LEAST_CHARACTERS);
}

function urlForm(text: string): string {
  return text.isWellFormed() ? encodeURIComponent(text) : text;
}

function literal(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}
