/** What hostile files of the libraries written in C say, and why it must not reach them. */
import { createRequire } from "node:module";
import { beforeAll, describe, expect, it } from "vitest";
import { quietRequire } from "../quiet-require.ts";
import { readLibsvm } from "./libsvm-format.ts";
import { readXgboost } from "./xgboost-format.ts";

const require = createRequire(import.meta.url);
const rows = Array.from({ length: 30 }, (_, row) => [row, (row * 7) % 5]);
const targets = rows.map(([a]) => a! * 2);

describe("files of XGBoost", () => {
  let bytes: Uint8Array;
  beforeAll(async () => {
    const XGBoost = await quietRequire<any>(require, "ml-xgboost");
    const model = new XGBoost({ objective: "reg:linear", max_depth: 2, iterations: 2, seed: 1 });
    model.train(rows, targets);
    bytes = Uint8Array.from(model.toJSON().model);
    model.free();
  });

  it("are read to their end", () => {
    expect(readXgboost(bytes)).toEqual({
      objective: "reg:linear",
      booster: "gbtree",
      features: 2,
      classes: 0,
      trees: 2,
    });
    expect(() => readXgboost(Uint8Array.of(...bytes, 0))).toThrow("1 bytes follow after its end");
  });

  // Offsets: learner 136, two texts 18 and 14, model 160: trees begin at 328, nodes 148 later.
  it.each([
    ["a root that is its own child", 328 + 148 + 4, [0, 0, 0, 0], "leads to node 0"],
    ["a child outside of the tree", 328 + 148 + 4, [0, 1, 0, 0], "leads to node 256"],
    ["a feature that is not there", 328 + 148 + 12, [9, 0, 0, 0], "splits by feature 9 of 2"],
    ["more trees than bytes", 168, [255, 255, 255, 127], "the file ends before 2147483647 things"],
    ["more features than memory", 4, [255, 255, 255, 255], "are more than a model can have"],
    ["a name longer than the file", 136, [255, 255, 255, 255, 255, 255, 255, 255], "the file ends before"],
  ])("that name %s are refused", (_, at, change, reason) => {
    const hostile = bytes.slice();
    hostile.set(change, at);
    expect(() => readXgboost(hostile)).toThrow(reason);
  });
});

describe("files of libsvm", () => {
  const text =
    "svm_type epsilon_svr\nkernel_type rbf\ngamma 0.1\nnr_class 2\ntotal_sv 2\nrho -7.5\nSV\n1 1:0.5 2:1e-3 \n-1 1:3 \n";

  it("are read to their end", () => {
    expect(readLibsvm(text)).toEqual({ type: "epsilon_svr", kernel: "rbf", classes: 2, supportVectors: 2 });
  });

  it.each([
    ["total_sv 2", "total_sv 2000000000", '"2000000000" is no count'],
    ["total_sv 2", "total_sv 3", "it has 2 support vectors and counts 3"],
    ["nr_class 2", "nr_class 99999", "it has 99999 classes"],
    ["rho -7.5", "rho -7.5 1", '"rho" has 2 values'],
    ["rho -7.5\n", "", 'it has no "rho"'],
    ["gamma 0.1", "gamma x", '"gamma" is no number'],
    ["gamma", "grammar", '"grammar" has 1 values'],
    ["1:0.5 2:1e-3", "2:0.5 1:1e-3", "support vector 0 is malformed"],
    ["1:0.5", "1:", "support vector 0 is malformed"],
    ["-1 1:3 \n", "-1 1:3", "it ends inside a line"],
    ["epsilon_svr", "c_svc", "labels and type do not belong together"],
    ["SV\n", "SV\nSV\n", 'there is not one line "SV"'],
  ])("with %j as %j are refused", (before, after, reason) => {
    expect(() => readLibsvm(text.replace(before, after))).toThrow(reason);
  });
});
