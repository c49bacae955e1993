/** What `--sort` and `--where` of `flow runs` say, as a query of the store. */
import type { MetricCondition, RunQuery, RunSort } from "@millrace/core/internal";
import type { Core } from "../core.ts";

/** `metric:r2` or `param:rate`. */
export function parseSort(core: Core, text: string, ascending: boolean): RunSort {
  const order = ascending ? "ascending" : "descending";
  const [, kind, name = ""] = /^(metric|param):(.+)$/su.exec(text) ?? [];
  if (kind === "metric" && core.metricNameProblem(name) === undefined) return { by: { metric: name }, order };
  if (kind === "param" && core.isName(name)) return { by: { parameter: name }, order };
  throw badValue(core, "--sort", text, "metric:NAME or param:NAME", 'Write, for example, "metric:r2"');
}

/** Conditions such as `metric:r2>0.9` and `param:rate=0.1`: all of them must hold. */
export function parseConditions(
  core: Core,
  texts: readonly string[],
  flag = "--where",
): Pick<RunQuery, "metrics" | "parameters"> {
  const metrics: MetricCondition[] = [];
  const parameters: [string, unknown][] = [];
  for (const text of texts) {
    const [, kind, name = "", is, value = ""] = /^(metric|param):([^<>=!]+)(<=|>=|!=|=|<|>)(.*)$/su.exec(text) ?? [];
    if (kind === "metric" && core.metricNameProblem(name) === undefined && isNumber(value)) {
      metrics.push({ metric: name, is: is as MetricCondition["is"], value: Number(value) });
    } else if (kind === "param" && is === "=" && core.isName(name)) {
      parameters.push([name, jsonOrText(value)]);
    } else {
      const hint = 'Write, in quotes, "metric:r2>0.9" (< <= > >= = !=) or "param:rate=0.1"';
      throw badValue(core, flag, text, "a condition on a metric or a parameter", hint);
    }
  }
  return {
    ...(metrics.length === 0 ? {} : { metrics }),
    ...(parameters.length === 0 ? {} : { parameters: Object.fromEntries(parameters) }),
  };
}

function isNumber(text: string): boolean {
  return text.trim() !== "" && !Number.isNaN(Number(text));
}

/** A parameter is recorded as JSON; text may be written as it is. */
function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function badValue(core: Core, flag: string, value: string, wanted: string, hint: string): Error {
  return new core.FlowError("FLOW_CLI_BAD_VALUE", { message: `"${flag}" is "${value}" and must be ${wanted}`, hint });
}
