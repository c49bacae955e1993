/**
 * A real S3 server for tests: Ceph's radosgw, one for all test files of a run. It is installed and started when a file first asks
 * for it, and ends with the run. Where it cannot be had, tests are skipped, and it is said why.
 */
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";

export interface Radosgw {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Makes an empty bucket of a new name. */
  makeBucket(): Promise<string>;
}

/** Installing takes minutes where the network is slow; starting takes a quarter of one. */
const LIMIT_MS = 600_000;

/**
 * The server of this test run; undefined, and a word on stderr, where there is none.
 *
 * @param owner the process with whose end the server ends; default the one that started this worker
 */
export async function radosgw({
  owner = process.ppid,
  deviceBytes = 2 * 1024 ** 3,
} = {}): Promise<Radosgw | undefined> {
  const folder = path.join(os.tmpdir(), `millrace-radosgw-${owner}`);
  try {
    fs.mkdirSync(folder); // Whoever makes the folder starts the server; the others wait for it.
    const program = fileURLToPath(new URL("radosgw-process.mjs", import.meta.url));
    const words = [program, folder, String(owner), String(deviceBytes)];
    spawn(process.execPath, words, { detached: true, stdio: "ignore" }).unref();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const answer = await answerIn(folder);
  if ("failure" in answer) {
    console.warn(`SKIPPED: no tests with radosgw, a real S3 server: ${answer.failure}`);
    return undefined;
  }
  const { endpoint, credentials } = answer.ready;
  const client = new S3Client({ endpoint, credentials, region: "us-east-1", forcePathStyle: true });
  return {
    endpoint,
    credentials,
    async makeBucket() {
      const Bucket = `b${process.pid}-${process.hrtime.bigint()}`;
      await client.send(new CreateBucketCommand({ Bucket }));
      return Bucket;
    },
  };
}

type Answer = { readonly failure: string } | { readonly ready: Pick<Radosgw, "endpoint" | "credentials"> };

async function answerIn(folder: string): Promise<Answer> {
  const end = performance.now() + LIMIT_MS;
  for (;;) {
    const failure = textOf(path.join(folder, "failed.txt"));
    if (failure !== undefined) return { failure };
    const ready = textOf(path.join(folder, "ready.json"));
    if (ready !== undefined) return { ready: JSON.parse(ready) };
    if (performance.now() > end || !fs.existsSync(folder)) return { failure: "it did not start in time" };
    await wait(100);
  }
}

function textOf(file: string): string | undefined {
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : undefined;
}
