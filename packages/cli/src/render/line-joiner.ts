/** A line of output with the time at which its first piece was written. */
export interface OutputLine {
  readonly text: string;
  readonly at: Date;
}

/** Longest line that waits for its end; what is longer is given in pieces. */
export const MAX_WAITING = 64 * 1024;

/**
 * Joins pieces of one stream to whole lines. A line that is redrawn with carriage returns, as a progress bar is, is its
 * last state, unless it is wanted as it was written; either way no more than MAX_WAITING characters are held.
 */
export class LineJoiner {
  readonly #print: (line: OutputLine) => void;
  readonly #isAsWritten: boolean;
  #parts: string[] = [];
  #length = 0;
  #at = new Date(0);
  /** A carriage return was the last character: what comes next is written over the line. */
  #isReturned = false;
  /** Pieces of this line were given already: that it ends here is nothing new. */
  #isContinued = false;

  constructor(print: (line: OutputLine) => void, options: { readonly isAsWritten: boolean }) {
    this.#print = print;
    this.#isAsWritten = options.isAsWritten;
  }

  /** The line that has not ended yet, as it stands now. */
  get unfinished(): string {
    if (this.#parts.length > 1) this.#parts = [this.#parts.join("")];
    return this.#parts[0] ?? "";
  }

  add(text: string, at: Date): void {
    let from = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      this.#append(text.slice(from, end), at);
      if (this.#length > 0 || !this.#isContinued) this.#give(at);
      this.#isContinued = false;
      from = end + 1;
    }
    this.#append(text.slice(from), at);
  }

  /** Gives the unfinished line as it stands. */
  finish(): void {
    if (this.#length > 0) this.#give(this.#at);
  }

  #append(text: string, at: Date): void {
    if (this.#isAsWritten) {
      this.#push(text, at);
      return;
    }
    let from = 0;
    for (let end = text.indexOf("\r"); end >= 0; end = text.indexOf("\r", from)) {
      if (end > from) this.#overwrite(text.slice(from, end), at);
      this.#isReturned = true;
      from = end + 1;
    }
    if (from < text.length) this.#overwrite(text.slice(from), at);
  }

  #overwrite(text: string, at: Date): void {
    if (this.#isReturned) {
      this.#parts = [];
      this.#length = 0;
    }
    this.#isReturned = false;
    this.#push(text, at);
  }

  #push(text: string, at: Date): void {
    let rest = text;
    while (rest !== "") {
      if (this.#length === 0) this.#at = at;
      const piece = headOf(rest, MAX_WAITING - this.#length);
      rest = rest.slice(piece.length);
      this.#parts.push(piece);
      this.#length += piece.length;
      if (this.#length < MAX_WAITING) continue;
      this.#give(at);
      this.#isContinued = true;
    }
  }

  #give(at: Date): void {
    const line = { text: this.#parts.join(""), at: this.#length === 0 ? at : this.#at };
    this.#parts = [];
    this.#length = 0;
    this.#isReturned = false;
    this.#print(line);
  }
}

/** The first characters of a text, one more where the last would be half of a pair. */
function headOf(text: string, length: number): string {
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? length + 1 : length);
}
