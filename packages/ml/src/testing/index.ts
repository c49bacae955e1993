/** `@millrace/ml/testing`: what a codec for models must pass. */
import "../codecs/built-in.ts";

export { type CodecCheck, type CodecUnderTest, modelCodecChecks } from "./codec-checks.ts";
