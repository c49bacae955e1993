/** Tokens kept at most: of lists that somebody goes on with at once. */
const MAX_TOKENS = 64;

/**
 * What a service wants to hear to go on behind a key, where it cannot begin a list there: without it, each page of a long
 * list would be walked to from the beginning.
 */
export class ListTokens {
  readonly #tokens = new Map<string, string>();

  keep(prefix: string, after: string, token: string): void {
    const name = `${prefix}\n${after}`;
    this.#tokens.delete(name);
    this.#tokens.set(name, token);
    if (this.#tokens.size > MAX_TOKENS) this.#tokens.delete(this.#tokens.keys().next().value!);
  }

  take(prefix: string, after: string): string | undefined {
    return this.#tokens.get(`${prefix}\n${after}`);
  }
}
