import fc from "fast-check";
import { expect, test } from "vitest";
import { flowOf } from "../../../../test/kit/flow-of.ts";
import { randomPart, writeFlow } from "../../../../test/kit/random-flow.ts";
import { taskPlaces } from "./task-places.ts";

test("from the first task on, what each task leads to are all the tasks of a run", () => {
  fc.assert(
    fc.property(randomPart(), (part) => {
      const flow = writeFlow(part);
      fc.pre(flow.expected.size < 500);
      const places = taskPlaces(flowOf(flow.steps));
      const seen = new Map([[`${places.first.step}/${places.first.path}`, places.first]]);
      for (const { step, path } of seen.values())
        for (const next of places.after({ step, path, ...flow.outcome(step, path) })!)
          seen.set(`${next.step}/${next.path}`, next);
      expect([...seen.keys()].toSorted()).toEqual([...flow.expected.keys()].toSorted());
    }),
    { numRuns: 200 },
  );
});

test("a step that the flow does not have leads nowhere", () => {
  expect(taskPlaces(flowOf({ start: {} })).after({ step: "other", path: "" })).toBeUndefined();
});
