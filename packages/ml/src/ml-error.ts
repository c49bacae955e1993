/** All codes that the parts of this package throw. The code is the contract; the text may improve. */
export type MlErrorCode =
  | "ML_SEARCH_BAD_SPEC"
  | "ML_DATA_BAD_ARGUMENT"
  | "ML_DATA_NO_COLUMN"
  | "ML_DATA_BAD_FILE"
  | "ML_FEATURES_NOT_FITTED"
  | "ML_FEATURES_NOT_FINITE"
  | "ML_MODEL_UNKNOWN"
  | "ML_MODEL_BAD_HYPERPARAMETERS"
  | "ML_MODEL_BAD_SHAPE"
  | "ML_MODEL_TOO_LARGE"
  | "ML_MODELER_ITERATIONS_MISSING"
  | "ML_MODELER_NOT_FITTED"
  | "ML_MODEL_NOT_STORABLE"
  | "ML_MODEL_DAMAGED"
  | "ML_MODEL_CHANGED"
  | "ML_MODEL_NO_PREDICTIONS"
  | "ML_CODEC_INVALID"
  | "ML_CODEC_TAKEN"
  | "ML_CODEC_UNKNOWN"
  | "ML_CODEC_AMBIGUOUS"
  | "ML_CODEC_VERSION"
  | "ML_LIBRARY_MISSING"
  | "ML_LIBRARY_BROKEN"
  | "ML_LIBRARY_VERSION";

/**
 * An error of this package: what failed and what to do next, in one sentence.
 *
 * Inside a step it is an ordinary error of the user's code; compare `code`, not the text.
 *
 * @example
 * throw new MlError("ML_DATA_NO_COLUMN", 'Cannot find column "delay"', 'name one of "date", "distance"');
 */
export class MlError extends Error {
  override readonly name = "MlError";
  readonly code: MlErrorCode;
  readonly hint: string | undefined;

  constructor(code: MlErrorCode, message: string, hint?: string, options?: ErrorOptions) {
    super(hint === undefined ? message : `${message}; ${hint}`, options);
    this.code = code;
    this.hint = hint;
  }
}
