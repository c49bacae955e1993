/** The public type of signatures of runs. */

/** A signature of a run, as far as it is known to be genuine. */
export interface Signature {
  /** SHA-256 of the public key (SPKI), lower-case hex. */
  readonly keyId: string;
  /** When it was signed, ISO 8601 UTC; with `actor` and `host` what the signer said. Absent where the statement cannot be read. */
  readonly at?: string;
  readonly actor?: string;
  readonly host?: string;
  /**
   * "valid": by a key that is trusted, of this run as it is recorded. "unknown-key": by another key, so nothing is known.
   * "bad": it is not what a trusted key has signed, or it was signed of other records; `why` says which.
   */
  readonly verdict: "valid" | "unknown-key" | "bad";
  readonly why?: string;
  /** What was signed, to the last character. */
  readonly statement: string;
  /** 64 bytes, lower-case hex. */
  readonly signature: string;
}
