/** The emulator of Azure Blob Storage, in a process of its own and in memory, on a free port. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";

export interface Azurite {
  /** `http://127.0.0.1:10000/devstoreaccount1`. */
  readonly endpoint: string;
  readonly account: string;
  readonly key: string;
  /** What finds it, as variables of the environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Makes a container; answers its name. */
  makeContainer(name: string): Promise<string>;
  stop(): Promise<void>;
}

/** The emulator's own, which everybody knows. */
const ACCOUNT = "devstoreaccount1";
const KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/**
 * Its server closes connections that were idle for 5 seconds, also those on which a request is just coming, and its own option
 * for that has no effect.
 */
const KEEP_ALIVE = `import http from "node:http";
const { createServer } = http;
http.createServer = (...given) =>
  Object.defineProperty(createServer(...given), "keepAliveTimeout", { get: () => 0, set: () => {} });`;

export async function startAzurite(): Promise<Azurite> {
  const require = createRequire(import.meta.url);
  const program = path.join(path.dirname(require.resolve("azurite/package.json")), "dist/src/blob/main.js");
  const folder = mkdtempSync(path.join(tmpdir(), "millrace-azurite-"));
  const child = spawn(
    process.execPath,
    [
      ...["--import", `data:text/javascript,${encodeURIComponent(KEEP_ALIVE)}`],
      program,
      ...["--blobPort", "0", "--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"],
    ],
    { cwd: folder, stdio: ["ignore", "pipe", "pipe"] },
  );
  const ended = once(child, "exit");
  const endpoint = await listening(child.stdout, child.stderr, ended);
  const connection = `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};BlobEndpoint=${endpoint};`;
  return {
    endpoint,
    account: ACCOUNT,
    key: KEY,
    environment: { AZURE_STORAGE_CONNECTION_STRING: connection },
    async makeContainer(name) {
      const { BlobServiceClient } = await import("@azure/storage-blob");
      await BlobServiceClient.fromConnectionString(connection).createContainer(name);
      return name;
    },
    async stop() {
      child.kill("SIGKILL");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function listening(
  stdout: NodeJS.ReadableStream,
  stderr: NodeJS.ReadableStream,
  ended: Promise<unknown>,
): Promise<string> {
  let said = "";
  const heard = new Promise<string>((resolve) => {
    const hear = (text: unknown) => {
      said += String(text);
      const found = /listens on (http:\/\/127\.0\.0\.1:\d+)/.exec(said);
      if (found !== null) resolve(`${found[1]}/${ACCOUNT}`);
    };
    stdout.on("data", hear);
    stderr.on("data", hear);
  });
  const died = ended.then(() => {
    throw new Error(`Azurite ended before it listened: ${said}`);
  });
  return await Promise.race([heard, died]);
}
