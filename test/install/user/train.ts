import { Flow, type Inputs, join, param, step, z } from "@millrace/core";
import { isMainThread } from "node:worker_threads";
import pc from "picocolors";
import { WordCount, wordsOf } from "./words.ts";

const LINES = ["the mill turns", "the race feeds the mill", "water turns the wheel"];

export default class Train extends Flow {
  /** How many words to keep. */
  readonly top = param(z.coerce.number().int().min(1).default(2), { short: "k" });

  lines!: string[];
  words!: string[];
  model!: WordCount[];

  @step({ next: "split", foreach: "lines" })
  start() {
    this.lines = LINES;
  }

  @step({ next: "collect" })
  split(line: string, index: number) {
    if (isMainThread) throw new Error("steps run in worker threads");
    this.words = wordsOf(line);
    console.log(pc.createColors(true).green(`line ${index}: ${this.words.length} words`));
  }

  @join({ next: "end" })
  collect(inputs: Inputs<Train>) {
    const counts = new Map<string, WordCount>();
    for (const word of inputs.flatMap((input) => input.words)) {
      const known = counts.get(word) ?? new WordCount(word, 0);
      known.count++;
      counts.set(word, known);
    }
    this.model = [...counts.values()].sort((a, b) => b.count - a.count || (a.word < b.word ? -1 : 1)).slice(0, this.top);
  }

  @step()
  end() {
    console.log(`trained: ${this.model.map((entry) => entry.label()).join(", ")}`);
  }
}
