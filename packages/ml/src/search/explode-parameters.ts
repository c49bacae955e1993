/**
 * From a search space to the list of what to try.
 *
 * The keys of a space are flat, so that their order is plain to see: `model`, `init.X` (an argument of the model, such
 * as `init.maxDepth`), `fit.Y` (an argument of fitting, such as `fit.stages`) and `nIter`. They are the `__model`,
 * `__model__init_kwargs__X`, `__model__fit_kwargs__Y` and `__n_iter` of metaflow-helper, in this language's spelling; a
 * model is named, not imported by a path. The result is always a list (never drawn anew when read again), and the same
 * seed gives the same list.
 */
import { MlError } from "../ml-error.ts";
import { deriveSeed, seededRandom } from "../random.ts";
import { type Distribution, draw, isDistribution } from "./distribution.ts";

/** One hyperparameter's value. */
export type ParameterValue = string | number | boolean | null;

/** One point of the space: what to try. */
export type Parameters = Readonly<Record<string, ParameterValue>>;

/**
 * A space. Without `nIter` every value is a list and the space is the grid of all combinations; with `nIter` as many
 * points are drawn at random, and a value may also be a distribution.
 */
export type ParameterSpec = Readonly<Record<string, readonly ParameterValue[] | Distribution | number>> & {
  readonly nIter?: number;
};

/**
 * Lists every point of a grid, or draws points at random.
 *
 * - A list of spaces gives their points one space after the other.
 * - A grid is in the order of its sorted keys, the last one changing fastest.
 * - A random search over lists only draws without replacement; when more points are wanted than there are, it warns
 *   and gives the whole grid. With a distribution among the values each draw is independent, so points may repeat.
 *
 * @param spec  one space, or a list of spaces
 * @param options.seed  for the random searches; each space draws from a seed of its own
 * @returns the points, in order; the arguments are left as they are
 * @throws MlError ML_SEARCH_BAD_SPEC with everything that is wrong
 * @see ParameterGrid and ParameterSampler of scikit-learn; explode_parameters of metaflow-helper
 * @example
 * explodeParameters({ model: ["RandomForest"], "init.maxDepth": [4, 8] }, { seed: 7 });
 * explodeParameters({ nIter: 5, model: ["GradientBoosting"], "init.learningRate": loguniform(0.01, 0.3) }, { seed: 7 });
 */
export function explodeParameters(
  spec: ParameterSpec | readonly ParameterSpec[],
  options: { readonly seed: number },
): Parameters[] {
  const specs: readonly ParameterSpec[] = isList(spec) ? spec : [spec];
  const problems = specs.flatMap((one, index) =>
    problemsOf(one).map((text) => (specs.length > 1 ? `space ${index}: ${text}` : text)),
  );
  if (problems.length > 0)
    throw new MlError("ML_SEARCH_BAD_SPEC", `Cannot read the search space: ${problems.join("; ")}`);
  return specs.flatMap((one, index) => explodeOne(one, deriveSeed(options.seed, index)));
}

function explodeOne(spec: ParameterSpec, seed: number): Parameters[] {
  const { nIter, ...space } = spec;
  const keys = Object.keys(space).sort();
  if (nIter === undefined)
    return Array.from({ length: gridSize(space, keys) }, (_, index) => gridPoint(space, keys, index));

  const random = seededRandom(seed);
  if (keys.some((key) => isDistribution(space[key]))) {
    return Array.from({ length: nIter }, () =>
      Object.fromEntries(
        keys.map((key) => {
          const values = space[key]!;
          return [
            key,
            isDistribution(values) ? draw(values, random) : listOf(values)[random.integer(0, listOf(values).length)]!,
          ];
        }),
      ),
    );
  }
  const size = gridSize(space, keys);
  if (nIter > size) {
    process.emitWarning(`The search space has ${size} points, fewer than the ${nIter} asked for: all are used`, {
      type: "MlWarning",
      code: "ML_SEARCH_SMALLER_THAN_ASKED",
    });
    return Array.from({ length: size }, (_, index) => gridPoint(space, keys, index));
  }
  return Array.from(sampleIndexes(random, size, nIter), (index) => gridPoint(space, keys, index));
}

type Space = Readonly<Record<string, readonly ParameterValue[] | Distribution | number>>;

function gridSize(space: Space, keys: readonly string[]): number {
  return keys.reduce((size, key) => size * listOf(space[key]!).length, 1);
}

/** Point number `index`: the keys are the digits of the number, the last one the lowest. */
function gridPoint(space: Space, keys: readonly string[], index: number): Parameters {
  const entries: [string, ParameterValue][] = [];
  let rest = index;
  for (const key of keys.toReversed()) {
    const values = listOf(space[key]!);
    entries.push([key, values[rest % values.length]!]);
    rest = Math.floor(rest / values.length);
  }
  return Object.fromEntries(entries.reverse());
}

/** Different numbers below `size`. Floyd's method: a grid of a billion points costs no more than the points drawn. */
function sampleIndexes(random: ReturnType<typeof seededRandom>, size: number, count: number): number[] {
  const chosen = new Set<number>();
  for (let top = size - count; top < size; top++) {
    const index = random.integer(0, top + 1);
    chosen.add(chosen.has(index) ? top : index);
  }
  const indexes = [...chosen];
  return Array.from(random.permutation(indexes.length), (place) => indexes[place]!);
}

function problemsOf(spec: ParameterSpec): string[] {
  const { nIter, ...space } = spec;
  const problems: string[] = [];
  if (nIter !== undefined && !(Number.isSafeInteger(nIter) && nIter >= 1))
    problems.push(`"nIter" is ${nIter}, not a whole number from 1`);
  for (const [key, values] of Object.entries(space)) {
    if (isDistribution(values)) {
      if (nIter === undefined) problems.push(`"${key}" is a distribution, which needs "nIter"`);
    } else if (!Array.isArray(values)) problems.push(`"${key}" is ${JSON.stringify(values)}, not a list`);
    else if (values.length === 0) problems.push(`"${key}" is an empty list`);
  }
  return problems;
}

function listOf(values: Space[string]): readonly ParameterValue[] {
  return values as readonly ParameterValue[]; // checked by problemsOf
}

function isList(spec: ParameterSpec | readonly ParameterSpec[]): spec is readonly ParameterSpec[] {
  return Array.isArray(spec);
}
