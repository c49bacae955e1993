/**
 * Signatures of runs (docs/adr/0044), and the last number of a webhook. Tables are only added, and the triggers hold for programs
 * of an older schema too: one that still has the store open deletes runs and adds webhooks without knowing of them.
 */
export const signaturesMigration: readonly string[] = [
  // The public key is not kept: whoever checks brings the keys that he trusts.
  `CREATE TABLE run_signature (
    run INTEGER NOT NULL REFERENCES run (sequence),
    position INTEGER NOT NULL CHECK (position >= 1),
    key_id BLOB NOT NULL CHECK (length(key_id) = 32),
    statement TEXT NOT NULL,
    signature BLOB NOT NULL CHECK (length(signature) = 64),
    PRIMARY KEY (run, position)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TRIGGER run_signature_no_update BEFORE UPDATE ON run_signature
    BEGIN SELECT RAISE(ABORT, 'signatures of runs are never changed'); END`,
  // They go when their run is gone, and not before.
  `CREATE TRIGGER run_signature_no_delete BEFORE DELETE ON run_signature
    WHEN EXISTS (SELECT 1 FROM run WHERE sequence = OLD.run)
    BEGIN SELECT RAISE(ABORT, 'signatures of runs are never deleted'); END`,
  `CREATE TRIGGER run_signature_goes_with_run AFTER DELETE ON run
    BEGIN DELETE FROM run_signature WHERE run = OLD.sequence; END`,
  // Receivers know webhooks by number: that of one which was removed is never given again.
  `CREATE TABLE webhook_number (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    last_number INTEGER NOT NULL
  ) STRICT`,
  `INSERT INTO webhook_number (id, last_number) SELECT 1, coalesce(max(id), 0) FROM webhook`,
  `CREATE TRIGGER webhook_number_grows AFTER INSERT ON webhook
    BEGIN UPDATE webhook_number SET last_number = max(last_number, NEW.id); END`,
];

/** A table that shows a store without signatures as one of this schema, for readers that may not change it. */
export const withoutSignatures: readonly string[] = [
  `CREATE TEMP TABLE run_signature (run, position, key_id, statement, signature)`,
  `CREATE TEMP TABLE webhook_number (id, last_number)`,
];
