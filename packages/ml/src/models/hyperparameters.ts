import { MlError } from "../ml-error.ts";
import type { ParameterValue } from "../search/explode-parameters.ts";

/** What a hyperparameter may be. Bounds are inclusive. */
export interface HyperparameterRule {
  readonly default: number;
  readonly min: number;
  readonly max?: number;
  readonly isInteger?: boolean;
}

/**
 * Reads the hyperparameters of a model by its rules: defaults filled in, everything that is wrong told at once.
 *
 * @param owner  shown in the message, such as "RandomForest init"
 * @throws MlError ML_MODEL_BAD_HYPERPARAMETERS
 */
export function readHyperparameters<K extends string>(
  owner: string,
  given: Readonly<Record<string, ParameterValue>>,
  rules: Readonly<Record<K, HyperparameterRule>>,
): Readonly<Record<K, number>> {
  const names = Object.keys(rules) as K[];
  const unknown = Object.keys(given)
    .filter((name) => !Object.hasOwn(rules, name))
    .map((name) => `"${name}" is unknown (there are ${names.join(", ")})`);
  const wrong = names.flatMap((name) => problemOf(name, given[name], rules[name]));
  const problems = [...unknown, ...wrong];
  if (problems.length > 0)
    throw new MlError("ML_MODEL_BAD_HYPERPARAMETERS", `Cannot read the ${owner} arguments: ${problems.join("; ")}`);
  return Object.fromEntries(names.map((name) => [name, given[name] ?? rules[name].default])) as Record<K, number>;
}

function problemOf(name: string, value: ParameterValue | undefined, rule: HyperparameterRule): string[] {
  if (value === undefined || value === null) return [];
  const { min, max = Number.MAX_VALUE, isInteger = false } = rule;
  if (typeof value === "number" && value >= min && value <= max && (!isInteger || Number.isInteger(value))) return [];
  const range = rule.max === undefined ? `from ${min}` : `from ${min} to ${rule.max}`;
  return [`"${name}" is ${JSON.stringify(value)}, not a ${isInteger ? "whole " : ""}number ${range}`];
}
