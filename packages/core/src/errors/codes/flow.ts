import type { CodeEntry } from "../code-table.ts";

export const flowCodes = {
  FLOW_DEFINITION_LEGACY_DECORATORS: {
    meaning: "A flow file was compiled with legacy decorators",
    cause: 'The nearest tsconfig.json sets "experimentalDecorators"',
    remedy: 'Remove "experimentalDecorators" there, or give flows a folder with a tsconfig.json of their own',
  },
  FLOW_DEFINITION_TOO_EARLY: {
    meaning: "A field initialiser computes with a parameter, config, file or upstream that has no value yet",
    cause: "The value is looked up, put into a template or reckoned with while the flow object is built",
    remedy: "Read it in a step, or write an arrow where one is accepted: default: () => this.x",
  },
  FLOW_DEFINITION_NO_STEPS: {
    meaning: "A class cannot be run as a flow",
    cause: "It does not extend Flow, or neither it nor a base class has a decorated step",
    remedy: "Extend Flow and put @step on the methods that are steps",
  },
  FLOW_DEFINITION_ANONYMOUS: {
    meaning: "A flow class has no name, so its runs could not be found again",
    cause: "export default class extends Flow, or a name that is no identifier",
    remedy: "Name the class, or give it a static flowName",
  },
  FLOW_DEFINITION_CONSTRUCTION: {
    meaning: "The flow class cannot be constructed",
    cause: "A field initialiser or the constructor throws",
    remedy: "Move the work into a step; constructing a flow must be harmless",
  },
  FLOW_DEFINITION_BAD_DECORATOR: {
    meaning: "A step decorator stands where it cannot work",
    cause: "It is on a static, private or symbol-named member, a field, a getter, or twice on one method",
    remedy: "Put one step decorator on a public method",
  },
  FLOW_DEFINITION_BAD_OPTION: {
    meaning: "An option of a decorator or definition is unknown or has a wrong value",
    cause: "A typing error, or a type error that was not looked at",
    remedy: "Correct the option; the type checker shows what fits",
  },
  FLOW_DEFINITION_BAD_WITH: {
    meaning: "A word of --with cannot be used",
    cause: "It names no behaviour of steps, or gives it a value that it does not take",
    remedy: "Write --with retry=3, --with timeout=10m or --with retry:times=3,delay=2s",
  },
  FLOW_DEFINITION_BAD_LATE_RETRY: {
    meaning: "A function that says how often a step is tried again failed",
    cause: "It threw, or gave no whole number",
    remedy: "Let it return a number, and read parameters and configs only",
  },
  FLOW_DEFINITION_BAD_NAME: {
    meaning: "A step, field or project has a name that cannot be used",
    cause:
      "It is not a plain ASCII identifier of at most 128 characters, or, for the name in package.json, none that npm takes",
    remedy: "Rename it",
  },
  FLOW_DEFINITION_RESERVED_NAME: {
    meaning: "A step or field has a name that is taken",
    cause: "It is a member of Flow or of every object, or its flag is one of the command line's own",
    remedy: "Rename it",
  },
  FLOW_DEFINITION_DUPLICATE_FLAG: {
    meaning: "Two fields would have the same flag",
    cause: "Their names differ only by case or by their kebab form, or two fields ask for one short flag",
    remedy: "Rename one of them, or change its short flag",
  },
  FLOW_DEFINITION_SHARED: {
    meaning: "One definition stands in two fields",
    cause: "A definition is kept in a variable, or a field is set to another field",
    remedy: "Call param, upstream, artifact, config or includeFile once for each field",
  },
  FLOW_DEFINITION_ACCESSOR: {
    meaning: "A field is declared with the keyword accessor",
    cause: "Such a field lies hidden on the prototype and could not be kept as an artifact",
    remedy: "Remove the keyword accessor",
  },
  FLOW_DEFINITION_ONE_WAY: {
    meaning: "A schema cannot be reversed, so its value could not be stored as it was given",
    cause: "transform() or preprocess() in the schema of a parameter, config or artifact",
    remedy: "Use z.coerce, z.stringbool or z.codec, or compute the value in a step",
  },
  FLOW_DEFINITION_BAD_DEFAULT: {
    meaning: "The default of a parameter cannot be used",
    cause: "It does not fit the schema, cannot be written as JSON, or a late default is no function",
    remedy: "Correct the default; give a late default as an arrow",
  },
  FLOW_DEFINITION_BAD_UPSTREAM: {
    meaning: "An upstream is defined wrongly",
    cause: "The producer is no flow class and no name, or sameAs points at no upstream",
    remedy: "Name a flow class, and for sameAs an upstream of another upstream: this.model.upstreams.source",
  },
  FLOW_DEFINITION_BAD_LATE_TAGS: {
    meaning: "The tags of an upstream cannot be worked out",
    cause: "The function throws, reads something that has no value yet, or gives no list of tags",
    remedy: "Let it return a list of tags, and read parameters and configs only",
  },
  FLOW_PARAMETER_INVALID: {
    meaning: "The value of a parameter does not fit its schema",
    cause: "A typing error on the command line, in the --params file, in the environment or in code",
    remedy: "Give a value that fits; flow run FILE --help lists what is allowed",
  },
  FLOW_PARAMETER_MISSING: {
    meaning: "A parameter, config or file that has no default was not given",
    cause: "The flag was left out",
    remedy: "Give the flag, the environment variable or an entry in the --params file",
  },
  FLOW_PARAMETER_UNKNOWN: {
    meaning: "The --params file or the caller names a parameter that the flow does not have",
    cause: "A typing error, or parameters of another flow",
    remedy: "Correct the name or remove the entry",
  },
  FLOW_PARAMETER_SECRET_FLAG: {
    meaning: "A secret was given on the command line, where other users of the machine can read it",
    cause: "A flag for a parameter with secret: true",
    remedy: "Put it into the environment or the --params file",
  },
  FLOW_PARAMETER_NOT_STORABLE: {
    meaning: "The value of a parameter cannot be stored so that it reads back equal",
    cause: "The encoded value is not JSON (a Map, a class instance), or the schema changes it each time it is read",
    remedy: "Use a schema that encodes to JSON: z.coerce.date(), z.codec(), plain objects and lists",
  },
  FLOW_PARAMETER_CYCLE: {
    meaning: "Late defaults wait for each other",
    cause: "default: () => this.b and default: () => this.a",
    remedy: "Give one of them a default of its own",
  },
  FLOW_PARAMETER_BAD_FILE: {
    meaning: "The file of a config or included file cannot be read",
    cause: "It does not exist, may not be read, is no JSON, or is no UTF-8",
    remedy: "Correct the path or the file",
  },
  FLOW_FLOW_PROCEED_TWICE: {
    meaning: "A decorator made by around() called proceed twice",
    cause: "It tries to run the step again",
    remedy: "Call it once; to try a failed step again, give the step a retry",
  },
  FLOW_FLOW_READ_ONLY: {
    meaning: "A step writes to a field that is read-only in steps",
    cause: "An assignment to a parameter, config, file, upstream, constant or to this.signal",
    remedy: "Use a field of another name",
  },
  FLOW_FLOW_CONSTANT_CHANGED: {
    meaning: "A step changed an initialised field in place",
    cause: "An initialised field is a constant: kept once with the run, so a change would be lost",
    remedy: "Declare the field without a value (xs!: T[]) and set it in a step",
  },
  FLOW_FLOW_BAD_FIELD: {
    meaning: "A step set a field whose name cannot be an artifact",
    cause: "The name is not an identifier, or belongs to a step, method or accessor of the class",
    remedy: "Use another name, or keep the values in a Map or object",
  },
  FLOW_FLOW_ARTIFACT_MISMATCH: {
    meaning: "The value of a declared artifact does not fit its schema",
    cause: "A step left another value in a field that is declared with artifact(schema)",
    remedy: "Correct the value or the schema",
  },
  FLOW_FLOW_NOT_RUNNING: {
    meaning: "Something that only exists inside a running step was used outside of one",
    cause: "current or mergeArtifacts in module code, a constructor or a timer that outlived its step",
    remedy: "Use it inside a step",
  },
  FLOW_FLOW_NO_SOURCE: {
    meaning: "The file of a flow class is not known",
    cause: "The class was made from text, or its stack was rewritten",
    remedy: "Give the file instead of the class",
  },
  FLOW_FLOW_BAD_MERGE: {
    meaning: "mergeArtifacts was called with options that exclude each other",
    cause: "include and exclude together",
    remedy: "Keep one of them",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
