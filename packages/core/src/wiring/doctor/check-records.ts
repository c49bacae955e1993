/** The records: their schema, a quick look at their structure, runs whose runner is gone, and the clock that wrote them. */
import fs from "node:fs";
import type { StoreChoice } from "../../config/find-store.ts";
import { isProcessAlive, readProcessIdentity } from "../../config/process-identity.ts";
import { isFlowError } from "../../errors/flow-error.ts";
import { runName } from "../../lineage/run-name.ts";
import type { MetadataStore } from "../../metadata/metadata-store.ts";
import type { Connection } from "../../metadata/sqlite/connection.ts";
import { storeLayout } from "../../storage/fs/store-folder.ts";
import { isFolder } from "./check-store.ts";
import { type Check, countText, type Found, sizeText } from "./report.ts";

/** Records up to this size are read once from end to end; larger ones take seconds, and are for the whole check. */
const LOOK_BYTES = 64 * 1024 ** 2;
const SHOWN = 5;
/** Lost runs that are counted. */
const COUNTED = 100;
/** Clocks of machines that ask for the time differ by less. */
const CLOCK_MS = 5 * 60 * 1_000;

export function recordChecks({ folder }: StoreChoice, now: () => number): readonly Check[] {
  const { database: file, blobs } = storeLayout(folder);
  if (!isFolder(folder) || fs.lstatSync(file, { throwIfNoEntry: false }) === undefined) return [];
  return [
    { area: "store", check: "records", run: () => recordFindings(file, blobs) },
    { area: "runs", check: "runs", run: () => withRecords(file, now, runFindings) },
  ];
}

async function recordFindings(file: string, blobs: string): Promise<readonly Found[]> {
  const check = "records";
  const { openReader } = await import("../../metadata/sqlite/connection.ts");
  const { schemaVersionOf } = await import("../../metadata/sqlite/migrate.ts");
  const { metadataError } = await import("../../metadata/sqlite/sqlite-error.ts");
  const { SCHEMA_VERSION } = await import("../../metadata/sql/migrations/migrations.ts");
  try {
    const db = openReader(file);
    try {
      const version = schemaVersionOf(db, file);
      const { size } = fs.statSync(file);
      const isLooked = size <= LOOK_BYTES;
      const [answer] = isLooked ? (db.pragma("quick_check(1)") as { readonly quick_check: string }[]) : [];
      const facts = { schemaVersion: version, knownVersion: SCHEMA_VERSION, bytes: size, isLooked };
      if (answer !== undefined && answer.quick_check !== "ok")
        return [damagedFinding(answer.quick_check.split("\n")[0]!, facts)];
      if (version > 0 && !isFolder(blobs) && namesFiles(db)) {
        const found = `the records name values in ${blobs}, which is not there`;
        const next = "Put the folder back from a copy of the store; flow store verify names what is missing";
        return [{ check, status: "fail", found, next, facts }];
      }
      const looked = isLooked
        ? "a quick look found its structure sound; flow store verify checks all of it"
        : `with ${sizeText(size)} too large for a quick look; flow store verify checks it`;
      if (version === SCHEMA_VERSION) return [{ check, status: "ok", found: `schema ${version}, ${looked}`, facts }];
      const found =
        version === 0
          ? "the database is empty: its making was interrupted"
          : `schema ${version}, this version of Millrace writes ${SCHEMA_VERSION}; ${looked}`;
      const next =
        version === 0
          ? "Run a flow, which makes the records"
          : "Nothing to do: the next run brings them up, and keeps a copy beside them; programs of older versions cannot read them then";
      return [{ check, status: "warn", found, next, facts }];
    } finally {
      db.close();
    }
  } catch (error) {
    const failed = metadataError("Cannot look at the records", file, error);
    // Some damage ends the look at the structure, where other damage is its answer.
    if (!isFlowError(failed, "FLOW_METADATA_CORRUPT") || !(error instanceof Error)) throw failed;
    return [damagedFinding(error.message, { code: failed.code })];
  }
}

function damagedFinding(why: string, facts: NonNullable<Found["facts"]>): Found {
  return {
    check: "records",
    status: "fail",
    found: `the database is damaged: ${why}`,
    next: "Stop what uses the store and restore it from a copy; flow store verify says what is affected",
    facts,
  };
}

/** Reads on only where there is no value in a file, so where there are few. */
function namesFiles(db: Connection): boolean {
  return db.prepare("SELECT 1 FROM blob WHERE stored IS NULL LIMIT 1").get() !== undefined;
}

async function withRecords(
  file: string,
  now: () => number,
  look: (records: MetadataStore, now: number) => Promise<readonly Found[]>,
): Promise<readonly Found[]> {
  const { openSqliteMetadata } = await import("../../metadata/sqlite/sqlite-metadata.ts");
  const liveness = { self: readProcessIdentity(), now, isAlive: isProcessAlive };
  const records = await openSqliteMetadata(file, { readonly: true, liveness });
  try {
    return await look(records, now());
  } finally {
    await records.close();
  }
}

async function runFindings(records: MetadataStore, nowMs: number): Promise<readonly Found[]> {
  const check = "runs";
  const total = await records.countRuns({});
  const running = await records.countRuns({ status: "running" });
  const lost = await records.runs({ status: "lost", limit: COUNTED });
  const facts = { runs: total, running, lost: lost.map((row) => ({ run: runName(row), id: row.id })) };
  const findings: Found[] = [];
  const [newest] = lost;
  if (newest === undefined) {
    const found = `${countText(total, "run")}, ${running === 0 ? "none running" : `${running} running`}, none lost`;
    findings.push({ check, status: "ok", found, facts });
  } else {
    const shown = lost.slice(0, SHOWN).map((row) => runName(row));
    const more =
      lost.length > SHOWN ? `, and ${lost.length - SHOWN}${lost.length === COUNTED ? " or more" : ""} others` : "";
    findings.push({
      check,
      status: "warn",
      found: `${countText(lost.length, "run")} lost the runner before the end: ${shown.join(", ")}${more}`,
      next: `Go on with the newest: flow resume ${runName(newest)}`,
      facts,
    });
  }
  const clock = await clockFinding(records, nowMs);
  return clock === undefined ? findings : [...findings, clock];
}

/** Nothing is ordered by clocks, but ages (`maxAge`, a heartbeat from elsewhere) are told by them. */
async function clockFinding(records: MetadataStore, nowMs: number): Promise<Found | undefined> {
  const rows = await records.runs({ limit: 50 });
  const times = rows.flatMap((row) => [row.createdAt, row.startedAt, row.finishedAt, row.execution.heartbeatAt]);
  const latest = Math.max(0, ...times.map((at) => at?.getTime() ?? 0).filter(Number.isFinite));
  if (rows.length === 0) return undefined;
  const facts = { latest: new Date(latest).toISOString(), now: new Date(nowMs).toISOString() };
  if (latest <= nowMs + CLOCK_MS) return { check: "clock", status: "ok", found: "no record is from the future", facts };
  return {
    check: "clock",
    status: "warn",
    found: `a record is from the future: ${facts.latest}, now it is ${facts.now}`,
    next: "Set the clock of this machine, or of the one that wrote it; maxAge of upstreams is told by clocks",
    facts,
  };
}
