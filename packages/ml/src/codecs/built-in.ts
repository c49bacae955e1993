/** The codecs that come with this package. Registering them loads no library. */

import { brainCodec } from "./brain.ts";
import { registerBuiltIn } from "./codec-registry.ts";
import { figureCodec } from "./figure.ts";
import { libsvmCodec } from "./libsvm.ts";
import { mljsCodecs } from "./mljs.ts";
import { onnxCodec } from "./onnx.ts";
import { safetensorsCodec } from "./safetensors.ts";
import { arrowCodec, arrowColumnsCodec, parquetCodec } from "./tables.ts";
import { tfjsCodec } from "./tfjs.ts";
import { xgboostCodec } from "./xgboost.ts";

registerBuiltIn([
  ...mljsCodecs,
  xgboostCodec,
  libsvmCodec,
  brainCodec,
  tfjsCodec,
  safetensorsCodec,
  arrowCodec,
  arrowColumnsCodec,
  parquetCodec,
  onnxCodec,
  figureCodec,
]);
