/**
 * A schema of zod 4, of whichever copy.
 *
 * Only what the types need is asked for. zod's own `ZodType` has all methods of its version, so a project with an older
 * zod 4 beside the one that core's declarations see could not pass its schemas, although they work.
 */
export interface Schema {
  readonly _zod: { readonly input: unknown; readonly output: unknown };
  readonly describe: (text: string) => unknown;
}
