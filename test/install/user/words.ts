import { storable } from "@millrace/core";

/** A class of the user's own that is kept as an artifact. */
@storable({ name: "shop.WordCount", version: 1 })
export class WordCount {
  readonly word: string;
  count: number;

  constructor(word: string, count: number) {
    this.word = word;
    this.count = count;
  }

  label(): string {
    return `${this.word} × ${this.count}`;
  }
}

export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z]+/g) ?? [];
}
