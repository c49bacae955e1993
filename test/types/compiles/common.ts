/** What the example flows calculate with: only the types matter here. */
export interface Row {
  readonly x: Float64Array;
  readonly y: number;
}

export interface Contender {
  readonly name: string;
  readonly trees: number;
}

export class Modeler {
  constructor(readonly weights: Float64Array) {}

  predict(rows: readonly Row[]): Float64Array {
    return Float64Array.from(rows, (row) => row.y + this.weights.length);
  }
}

export function settings(configuration: "config" | "test_config"): { contenders: Record<string, number[]> } {
  return { contenders: { trees: configuration === "config" ? [10, 100] : [5] } };
}

export function explodeParameters(spec: Record<string, number[]>, options: { seed: number }): Contender[] {
  return (spec.trees ?? []).map((trees) => ({ name: `forest-${trees}-${options.seed}`, trees }));
}

export function crossValidate(contender: Contender, rows: readonly Row[]): number {
  return contender.trees * rows.length;
}

export function fitModel(contender: Contender, rows: readonly Row[]): Modeler {
  return new Modeler(new Float64Array(contender.trees + rows.length));
}

export function maxBy<X>(items: readonly X[], by: (item: X) => number): X {
  return items.reduce((best, item) => (by(item) > by(best) ? item : best));
}
