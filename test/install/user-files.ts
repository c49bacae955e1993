/** The files of a user who has installed the packages: what the tests of this folder run and check. */
export const USER_FILES: Readonly<Record<string, string>> = {
  "words.ts": `import { storable } from "@millrace/core";

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
    return \`\${this.word} × \${this.count}\`;
  }
}

export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z]+/g) ?? [];
}
`,
  "train.ts": `import { Flow, type Inputs, join, param, step, z } from "@millrace/core";
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
    console.log(pc.createColors(true).green(\`line \${index}: \${this.words.length} words\`));
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
    console.log(\`trained: \${this.model.map((entry) => entry.label()).join(", ")}\`);
  }
}
`,
  "predict.ts": `import { Flow, param, step, upstream, z } from "@millrace/core";
import Train from "./train.ts";
import { WordCount } from "./words.ts";

export default class Predict extends Flow {
  readonly model = upstream(Train);
  readonly text = param(z.string().default("the mill and the wheel"));

  score!: number;

  @step({ next: "end" })
  start() {
    const entries = this.model.data.model;
    if (!entries.every((entry) => entry instanceof WordCount)) throw new Error("the class was lost");
    this.score = entries.reduce((sum, entry) => sum + (this.text.includes(entry.word) ? entry.count : 0), 0);
  }

  @step()
  end() {
    console.log(\`predicted: \${this.score} from \${this.model.data.model.map((entry) => entry.label()).join(", ")}\`);
  }
}
`,
  "program.ts": `import { FlowError, run, runs } from "@millrace/core";
import type Predict from "./predict.ts";
import type Train from "./train.ts";
import { WordCount } from "./words.ts";

const trained = await runs<Train>("Train").latest({ tags: ["prod:v1"] });
const [first] = await trained.data.model;
if (!(first instanceof WordCount)) throw new Error("the class was lost");
const label: string = first.label();
const predicted = await runs<Predict>("Predict").latest();
// @ts-expect-error: it is a number
const score: string = await predicted.data.score;
console.log(\`read: \${label}, \${score}\`);

const again = await run<Train>("train.ts", { params: { top: 1 } });
console.log(\`ran: \${(await again.data.model).map((entry) => entry.label()).join(", ")}\`);

const refused = await run<Train>("train.ts", { params: { top: 0 } }).then(
  () => undefined,
  (error: unknown) => error,
);
if (!(refused instanceof FlowError)) throw new Error("a wrong parameter was accepted");
console.log(\`refused: \${refused.code}\`);
`,
  "own-zod.ts": `import { Flow, param, step } from "@millrace/core";
import * as zod from "zod";

/** Schemas of the project's own copy of zod. */
export default class OwnZod extends Flow {
  readonly count = param(zod.coerce.number().int().min(1).default(3), { short: "n" });
  readonly mode = param(zod.enum(["fast", "exact"]).default("fast").describe("How to count"));
  readonly since = param(
    zod
      .codec(zod.iso.date(), zod.date(), { decode: (text) => new Date(text), encode: (date) => date.toISOString().slice(0, 10) })
      .default(new Date("2026-01-01")),
  );

  total!: number;

  @step({ next: "end" })
  start() {
    const mode: "fast" | "exact" = this.mode;
    this.total = this.count * (mode === "fast" ? 1 : 10) + this.since.getUTCDate();
  }

  @step()
  end() {
    console.log(\`own zod: \${this.total}\`);
  }
}
`,
  "forest.ts": `import { Flow, step } from "@millrace/core";
import { FeatureEngineer, makeRegression, Modeler, numericColumn, r2 } from "@millrace/ml";

/** Fits a model of the library, which one step keeps and the next one predicts with. */
export default class Forest extends Flow {
  samples = 80;
  engineer!: FeatureEngineer;
  modeler!: Modeler;
  score!: number;

  @step({ next: "check" })
  async start() {
    const { table } = makeRegression({ samples: this.samples, seed: 1, noise: 0 });
    this.engineer = new FeatureEngineer({ numeric: ["num_0", "num_1", "num_2", "num_3", "num_4"] });
    const contender = { model: "RandomForest", "init.iterations": 5, "init.seed": 1 };
    const features = this.engineer.fitTransform(table);
    this.modeler = await new Modeler({ contender, mode: "test" }).fit(features, numericColumn(table, "target"));
  }

  @step()
  async check() {
    if (!(this.modeler instanceof Modeler)) throw new Error("the class was lost");
    const { table } = makeRegression({ samples: this.samples, seed: 1, noise: 0 });
    this.score = r2(numericColumn(table, "target"), await this.modeler.predict(this.engineer.transform(table)));
    console.log(\`forest: \${this.score > 0.3}\`);
  }
}
`,
};
