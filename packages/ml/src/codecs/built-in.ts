/** The codecs that come with this package. Registering them loads no library. */

import { brainCodec } from "./brain.ts";
import { registerModelCodec } from "./codec-registry.ts";
import { libsvmCodec } from "./libsvm.ts";
import { mljsCodecs } from "./mljs.ts";
import { tfjsCodec } from "./tfjs.ts";
import { xgboostCodec } from "./xgboost.ts";

for (const codec of [...mljsCodecs, xgboostCodec, libsvmCodec, brainCodec, tfjsCodec]) registerModelCodec(codec);
