/** Azure Blob Storage when it does not work: each failure has a code, names the setting that mends it, and tells no secret. */
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serializeError } from "../../packages/core/src/errors/flow-error.ts";
import { type AzureStoreOptions, openAzureBlobStore } from "../../packages/core/src/storage/azure/azure-blob-store.ts";
import { type Azurite, startAzurite } from "../kit/azurite.ts";

const WRONG_KEY = Buffer.from("a key that opens nothing at all").toString("base64");
let azurite: Azurite;

beforeAll(async () => {
  azurite = await startAzurite();
}, 60_000);
afterAll(() => azurite.stop());

/** What is thrown by each verb of a store. */
async function troubles(options: AzureStoreOptions): Promise<readonly unknown[]> {
  const store = await openAzureBlobStore(options);
  const calls = [
    () => store.get("k"),
    () => store.stat("k"),
    () => store.put("k", [Uint8Array.of(1)]),
    () => store.list({ prefix: "" }),
    () => store.delete("k"),
    () => store.compareAndSet("k", Uint8Array.of(1), undefined),
  ];
  return await Promise.all(
    calls.map((call) =>
      call().then(
        () => "no trouble",
        (error: unknown) => error,
      ),
    ),
  );
}

describe("credentials", () => {
  test("that are wrong are told by the settings that give them, and are not shown", async () => {
    const environment = { AZURE_STORAGE_ACCOUNT: azurite.account, AZURE_STORAGE_KEY: WRONG_KEY };
    for (const error of await troubles({ container: "container", endpoint: azurite.endpoint, environment })) {
      expect(error).toMatchObject({ code: "FLOW_STORAGE_CREDENTIALS", context: { status: 403 } });
      expect(error).toHaveProperty("hint", expect.stringContaining("AZURE_STORAGE_KEY"));
      const shown = JSON.stringify(serializeError(error));
      expect(shown).not.toContain(WRONG_KEY);
      expect(shown).not.toMatch(/SharedKey|signature|sig=/i);
    }
  });
  test("as a token in the address of requests are not shown either", async () => {
    const token = "sv=2024-11-04&ss=b&srt=sco&sp=rwdl&se=2020-01-01T00:00:00Z&sig=bm90aGluZyBhdCBhbGw%3D";
    const environment = { AZURE_STORAGE_ACCOUNT: azurite.account, AZURE_STORAGE_SAS_TOKEN: token };
    for (const error of await troubles({ container: "container", endpoint: azurite.endpoint, environment })) {
      expect(error).toMatchObject({ code: "FLOW_STORAGE_CREDENTIALS" });
      expect(JSON.stringify(serializeError(error))).not.toMatch(/sig=|bm90/);
    }
  });
  test("that are nowhere are told by the three ways to give them", async () => {
    await expect(
      openAzureBlobStore({ container: "container", account: "team", environment: {} }),
    ).rejects.toMatchObject({
      code: "FLOW_STORAGE_CREDENTIALS",
      hint: expect.stringMatching(/AZURE_STORAGE_CONNECTION_STRING.*AZURE_STORAGE_KEY.*npm install @azure\/identity/),
    });
  });
  test("need an account", async () => {
    await expect(openAzureBlobStore({ container: "container", environment: {} })).rejects.toMatchObject({
      code: "FLOW_STORAGE_CREDENTIALS",
      hint: expect.stringContaining("AZURE_STORAGE_ACCOUNT"),
    });
  });
  test("with a key need an account too, also where an endpoint is given", async () => {
    const place = {
      container: "container",
      endpoint: "http://127.0.0.1:1/",
      environment: { AZURE_STORAGE_KEY: "a2V5" },
    };
    await expect(openAzureBlobStore(place)).rejects.toMatchObject({
      code: "FLOW_STORAGE_CREDENTIALS",
      hint: expect.stringMatching(/account=NAME.*AZURE_STORAGE_ACCOUNT/),
    });
  });
  test.each([{ AZURE_STORAGE_CONNECTION_STRING: "my secret words" }, { AZURE_STORAGE_KEY: "my secret words" }])(
    "that are not well formed are refused without being shown",
    async (environment) => {
      const opened = openAzureBlobStore({ container: "container", account: "team", environment });
      const error = await opened.catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "FLOW_STORAGE_CREDENTIALS" });
      expect(JSON.stringify(serializeError(error))).not.toContain("secret");
    },
  );
  test("of another account than the one that was asked for are not used", async () => {
    const opened = openAzureBlobStore({ container: "container", account: "other", environment: azurite.environment });
    await expect(opened).rejects.toMatchObject({ code: "FLOW_STORAGE_CREDENTIALS" });
  });
  test("as account and key do the same as a connection string", async () => {
    const container = await azurite.makeContainer("by-key");
    const environment = { AZURE_STORAGE_ACCOUNT: azurite.account, AZURE_STORAGE_KEY: azurite.key };
    const store = await openAzureBlobStore({ container, endpoint: azurite.endpoint, environment });
    expect(await store.put("k", [Uint8Array.of(1)])).toBe("created");
    expect(await store.get("k")).toEqual(Uint8Array.of(1));
  });
});

test("a container that is missing is no container without values", async () => {
  for (const error of await troubles({ container: "missing", environment: azurite.environment }))
    expect(error).toMatchObject({
      code: "FLOW_STORAGE_NO_BUCKET",
      message: expect.stringContaining("azure://missing"),
    });
});

test("a service that is not there may come back", async () => {
  const environment = { AZURE_STORAGE_ACCOUNT: azurite.account, AZURE_STORAGE_KEY: WRONG_KEY };
  const endpoint = `http://127.0.0.1:${await closedPort()}/devstoreaccount1`;
  for (const error of await troubles({ container: "container", endpoint, environment }))
    expect(error).toMatchObject({
      code: "FLOW_STORAGE_UNAVAILABLE",
      message: expect.stringContaining("ECONNREFUSED"),
      context: { isTransient: true },
    });
});

test("a service that takes requests and never answers is given up", async () => {
  const server = net.createServer(() => {}).listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/devstoreaccount1`;
  const environment = { AZURE_STORAGE_ACCOUNT: azurite.account, AZURE_STORAGE_KEY: WRONG_KEY };
  for (const error of await troubles({ container: "container", endpoint, environment, limits: { idleMs: 200 } }))
    expect(error).toMatchObject({ code: "FLOW_STORAGE_TIMEOUT", context: { isTransient: true } });
  server.close();
});

async function closedPort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
