// Run by onnx.test.ts in a folder where onnxruntime-web is installed: the checks for codecs, with a linear model as ONNX.
import assert from "node:assert/strict";
import { onnxCodec, storeModel } from "@millrace/ml";
import { modelCodecChecks } from "@millrace/ml/testing";
import onnxProto from "onnx-proto";

const { onnx } = onnxProto;
const inputs = { x: { shape: [2, 3], data: [1, 2, 3, 4, 5, 6] } };

/** y = x · (2, -1, 0.5) + 7 */
function linearModel() {
  const { FLOAT } = onnx.TensorProto.DataType;
  const dimension = (size) => (size === undefined ? { dimParam: "rows" } : { dimValue: size });
  const value = (name, sizes) => ({
    name,
    type: { tensorType: { elemType: FLOAT, shape: { dim: sizes.map(dimension) } } },
  });
  const weights = (name, dims, floatData) => ({ name, dims, dataType: FLOAT, floatData });
  return onnx.ModelProto.encode({
    irVersion: 7,
    producerName: "test",
    opsetImport: [{ domain: "", version: 13 }],
    graph: {
      name: "linear",
      node: [
        { opType: "MatMul", input: ["x", "w"], output: ["xw"] },
        { opType: "Add", input: ["xw", "b"], output: ["y"] },
      ],
      input: [value("x", [undefined, 3])],
      output: [value("y", [undefined, 1])],
      initializer: [weights("w", [3, 1], [2, -1, 0.5]), weights("b", [1], [7])],
    },
  }).finish();
}

const stored = await storeModel(linearModel(), { codec: onnxCodec, probe: { inputs } });
const model = await stored.load();
assert.deepEqual((await model.run(inputs)).y, { type: "float32", shape: [2, 1], data: [8.5, 13] });
assert.deepEqual(model.signature.inputs, [{ name: "x", type: "float32", shape: [null, 3] }]);
assert.deepEqual((await stored.inspect()).content.operators, { MatMul: 1, Add: 1 });
await model.release();
for (const { name, run } of modelCodecChecks({ codec: "onnx", isChosen: true, inputs, train: linearModel })) {
  await run();
  console.log(`passed: ${name}`);
}
