/** The codecs that come with this package. Registering them loads no library. */
import { registerModelCodec } from "./codec-registry.ts";
import { libsvmCodec } from "./libsvm.ts";
import { mljsCodecs } from "./mljs.ts";
import { xgboostCodec } from "./xgboost.ts";

for (const codec of [...mljsCodecs, xgboostCodec, libsvmCodec]) registerModelCodec(codec);
