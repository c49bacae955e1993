import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseSelector, type Selector } from "./selector.ts";

const id = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";

describe("a selector", () => {
  test.each<[string, Omit<Selector, "text">]>([
    ["Train", { flow: "Train" }],
    ["Train/17", { flow: "Train", number: 17 }],
    ["Train@prod:v1", { flow: "Train", tags: ["prod:v1"] }],
    ["Train@prod:v1@eu", { flow: "Train", tags: ["prod:v1", "eu"] }],
    ["Train@v1.2/rc 3", { flow: "Train", tags: ["v1.2/rc 3"] }],
    ["Train.modeler", { flow: "Train", artifact: "modeler" }],
    ["Train/17.modeler", { flow: "Train", number: 17, artifact: "modeler" }],
    ["Train.modeler@prod:v1.2", { flow: "Train", tags: ["prod:v1.2"], artifact: "modeler" }],
    ["Train/17/evaluate", { flow: "Train", number: 17, step: "evaluate" }],
    ["Train/17/evaluate.score", { flow: "Train", number: 17, step: "evaluate", artifact: "score" }],
    ["Train/17/evaluate/3", { flow: "Train", number: 17, step: "evaluate", path: "3" }],
    ["Train/17/fold/1.2", { flow: "Train", number: 17, step: "fold", path: "1.2" }],
    ["Train/17/fold/1.2.score", { flow: "Train", number: 17, step: "fold", path: "1.2", artifact: "score" }],
    ["Train/17/refine/0~4.loss", { flow: "Train", number: 17, step: "refine", path: "0~4", artifact: "loss" }],
    ["Train/17/refine/~4", { flow: "Train", number: 17, step: "refine", path: "~4" }],
    ["shop/Train/17", { project: "shop", flow: "Train", number: 17 }],
    ["shop/Train", { project: "shop", flow: "Train" }],
    ["my-shop.eu/Train@x", { project: "my-shop.eu", flow: "Train", tags: ["x"] }],
    ["@acme/shop/Train/17", { project: "@acme/shop", flow: "Train", number: 17 }],
    ["@acme/shop/Train.modeler@prod", { project: "@acme/shop", flow: "Train", tags: ["prod"], artifact: "modeler" }],
    [id, { runId: id as never }],
    [`${id}.modeler`, { runId: id as never, artifact: "modeler" }],
    [`${id}/fold/1.2.score`, { runId: id as never, step: "fold", path: "1.2", artifact: "score" }],
  ])("%j is read", (text, expected) => {
    expect(parseSelector(text)).toEqual({ text, ...expected });
  });

  test.each([
    "",
    "/",
    "@",
    "@prod",
    "17",
    "Train@",
    "Train@@a",
    "Train@a@",
    "Train/17@prod",
    `${id}@prod`,
    "Train/0",
    "Train/99999999999999999999",
    "Train/17.5",
    "Train/-1",
    "Train/17/",
    "Train/17/1",
    "Train/17/evaluate/x",
    "Train/17/evaluate/01",
    "Train/17/evaluate/3/4",
    "Train.",
    "Train.a.b",
    "Train.1",
    "a/b/c/Train",
    "Train/../17",
    "../Train",
    "Train\0",
    "Train@a\nb",
    "Train@ a",
    "Train@gro\u0308ße",
    "Train/17/evaluate/3.__proto__",
    "Train ",
    " Train",
    "<b>",
    "__proto__",
  ])("%j is refused", (text) => {
    const refused = {
      code: "FLOW_CLIENT_BAD_SELECTOR",
      context: { selector: text },
      hint: expect.stringContaining("Flow/17"),
    };
    expect(() => parseSelector(text)).toThrow(expect.objectContaining(refused));
  });

  test("made of any parts is read back as those parts", () => {
    const name = fc.stringMatching(/^[A-Za-z_$][A-Za-z0-9_$]{0,10}$/).filter((text) => text !== "__proto__");
    const path = fc.stringMatching(/^(0|[1-9]\d?)(~[1-9])?(\.(0|[1-9]\d?)){0,2}$/);
    const run = fc.oneof(
      fc.record({ number: fc.integer({ min: 1 }), step: name, path }, { requiredKeys: ["number"] }),
      fc.record({ tags: fc.array(fc.stringMatching(/^[a-z0-9:./-]{1,8}$/), { minLength: 1, maxLength: 3 }) }),
      fc.constant({}),
    );
    const parts = fc.record(
      { project: fc.stringMatching(/^(@[a-z]{1,5}\/)?[a-z]{1,4}(-[a-z.]{1,4})?$/), flow: name, run, artifact: name },
      { requiredKeys: ["flow", "run"] },
    );
    fc.assert(
      fc.property(parts, ({ project, flow, run, artifact }) => {
        const {
          number,
          step,
          path: at,
          tags,
        } = run as { number?: number; step?: string; path?: string; tags?: string[] };
        if (step === undefined && at !== undefined) return;
        const head = [project, flow, number, step, at].filter((part) => part !== undefined).join("/");
        const text = `${head}${artifact === undefined ? "" : `.${artifact}`}${(tags ?? []).map((tag) => `@${tag}`).join("")}`;
        const expected = { text, project, flow, number, step, path: at, tags, artifact };
        expect(parseSelector(text)).toEqual(
          Object.fromEntries(Object.entries(expected).filter(([, value]) => value !== undefined)),
        );
      }),
    );
  });

  test("of any text is read or refused, never anything else, and quickly", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[Ta1./@~-]{0,60}$/)), (text) => {
        try {
          parseSelector(text);
        } catch (error) {
          expect(error).toMatchObject({ code: "FLOW_CLIENT_BAD_SELECTOR" });
        }
      }),
    );
    const begin = performance.now();
    for (const text of [
      "1.".repeat(50_000),
      `Train/1/a/${"1.".repeat(50_000)}-`,
      "a/".repeat(50_000),
      "@".repeat(50_000),
    ]) {
      expect(() => parseSelector(text)).toThrow();
    }
    expect(parseSelector(`Train/1/a/${"1.".repeat(50_000)}x`)).toMatchObject({ artifact: "x" });
    expect(performance.now() - begin).toBeLessThan(2_000);
  });
});
