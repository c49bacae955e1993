/**
 * The end of something that lives long, against which one piece of work after another races.
 *
 * `Promise.race` with one promise that stays pending keeps the result of everything that ever won against it, for as long
 * as that promise lives. Here only what races now is held.
 */
export class Ending {
  readonly #racing = new Set<(cause: unknown) => void>();
  #end: { readonly cause: unknown } | undefined;

  /** What the work gives; rejects as soon as the end comes, or at once when it has come. */
  async before<Result>(work: PromiseLike<Result>): Promise<Result> {
    const ended = Promise.withResolvers<never>();
    if (this.#end !== undefined) ended.reject(this.#end.cause);
    this.#racing.add(ended.reject);
    try {
      return await Promise.race([ended.promise, work]);
    } finally {
      this.#racing.delete(ended.reject);
    }
  }

  /** The first end counts. */
  come(cause: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { cause };
    for (const reject of this.#racing) reject(cause);
  }
}
