import type { SelectorRecord } from "../events/run-record.ts";

/** How an upstream was asked for, in a few words: `prod:v1`, `Train/17`, `same as model.source`, `newest`. */
export function describeSelector(selector: SelectorRecord): string {
  switch (selector.kind) {
    case "newest":
      return "newest";
    case "tags":
      return selector.tags.join(", ");
    case "run":
      return selector.run;
    case "sameAs":
      return `same as ${selector.path.join(".")}`;
  }
}
