import { expect, test } from "vitest";
import { inputsName, parseReadName, type ReadName } from "./read-names.ts";

test.each<readonly [string, ReadName]>([
  ["this.rows", { kind: "field", name: "rows" }],
  ["set this.rows", { kind: "settable", name: "rows" }],
  ["this.model.run.id", { kind: "upstream-run", path: ["model"], fact: "id" }],
  ["this.model.data.rows", { kind: "upstream-data", path: ["model"], name: "rows" }],
  ["this.model.data.rows?", { kind: "upstream-has", path: ["model"], name: "rows" }],
  ["this.model.data.*", { kind: "upstream-names", path: ["model"] }],
  ["this.model.upstreams.source", { kind: "upstream", path: ["model", "source"] }],
  // Upstreams and artifacts may be called what they like.
  ["this.data.upstreams.run.data.data", { kind: "upstream-data", path: ["data", "run"], name: "data" }],
  ["this.a.upstreams.upstreams.run.tags", { kind: "upstream-run", path: ["a", "upstreams"], fact: "tags" }],
  ["inputs[*].score", { kind: "inputs", range: "*", name: "score" }],
  [
    "inputs[0-3,7-7].score",
    {
      kind: "inputs",
      range: [
        [0, 3],
        [7, 7],
      ],
      name: "score",
    },
  ],
  ["inputs.before.rows", { kind: "before", name: "rows" }],
  ['inputs.merge {"set":[]}', { kind: "merge", options: '{"set":[]}' }],
  ["current.run.tags", { kind: "current", fact: "run.tags" }],
])("%s", (text, name) => {
  expect(parseReadName(text)).toEqual(name);
  if (name.kind === "inputs") expect(inputsName(name.range, name.name)).toBe(text);
});

test.each(["", "rows", "inputs[].a", "inputs[1].a", "this.model.run", "this.model.data.a.b", "this.model.other.a"])(
  "%j is no name of a read",
  (text) => expect(parseReadName(text)).toBeUndefined(),
);
