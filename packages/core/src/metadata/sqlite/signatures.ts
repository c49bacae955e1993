import { FlowError } from "../../errors/flow-error.ts";
import { MAX_SIGNATURES, type RunSignature, readStatement } from "../run-signature.ts";
import { bytesOfDigest, digestOfBytes } from "../sql/rows.ts";
import { runStatus } from "../sql/runs.ts";
import { insertSignature, signaturesOfRun } from "../sql/signatures.ts";
import { noRun } from "./run-errors.ts";
import type { Statements } from "./statements.ts";

export function readSignatures(on: Statements, run: number): readonly RunSignature[] {
  return on.all(signaturesOfRun, { run }).map(({ key_id, statement, signature }) => ({
    keyId: digestOfBytes(key_id),
    statement,
    signature: Buffer.from(signature).toString("hex"),
  }));
}

/** Appends a signature, inside the caller's transaction. */
export function addSignature(on: Statements, run: number, signature: RunSignature): void {
  const row = on.get(runStatus, { sequence: run });
  if (row === undefined) throw noRun(run);
  if (readStatement(signature.statement)?.run.id !== row.id) {
    throw new FlowError("FLOW_METADATA_BAD_ARGUMENT", {
      message: `Cannot keep the signature of run number ${run}: its statement is not of this run`,
    });
  }
  const position = on.all(signaturesOfRun, { run }).length + 1;
  if (position > MAX_SIGNATURES) {
    throw new FlowError("FLOW_SIGN_TOO_MANY", {
      message: `Cannot keep another signature of the run ${row.id}: it has ${MAX_SIGNATURES}, which is the limit`,
      hint: "See them with flow signatures",
    });
  }
  insertSignatureAt(on, run, position, signature);
}

/** Writes a signature where it stood in another store. */
export function insertSignatureAt(on: Statements, run: number, position: number, signed: RunSignature): void {
  const { keyId, statement, signature } = signed;
  on.run(insertSignature, {
    run,
    position,
    key_id: bytesOfDigest(keyId),
    statement,
    signature: Buffer.from(signature, "hex"),
  });
}
