/** Signing by the real command: keys in files and variables, what is checked with them, and policies that ask for it. */
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;
if (!hasOpenssl) console.warn("There is no openssl here: what it says of signatures is not tested");

const shop = new Project({
  "train.ts": flowText(
    "Train",
    `model!: Uint8Array; @step({ next: "end" }) start() { this.model = new Uint8Array(40_000).fill(7); } @step() end() {}`,
  ),
  "predict.ts": flowText(
    "Predict",
    `readonly model = upstream<any>("Train"); size!: number;
     @step({ next: "end" }) start() { this.size = this.model.data.model.length; } @step() end() {}`,
  ),
});

async function flow(words: string, env: Readonly<Record<string, string>> = {}) {
  return await shop.flow(words.split(" "), { env: { MILLRACE_USER: "ana", ...env } });
}
async function done(words: string, env: Readonly<Record<string, string>> = {}) {
  const result = await flow(words, env);
  expect(result.code, `${words}: ${result.stdout}${result.stderr}`).toBe(0);
  return result;
}
async function refused(words: string, env: Readonly<Record<string, string>> = {}): Promise<readonly unknown[]> {
  const { code, lines } = await flow(`${words} --json`, env);
  return [code, lines.at(-1)?.code ?? lines.at(-1)?.error?.code];
}
async function v17(words: string): Promise<readonly unknown[]> {
  const { code, lines } = await flow(`validate ${words} --json`);
  return [
    code,
    ...lines
      .at(-1)
      .checks.filter(({ id }: any) => id === "V17")
      .map(({ status }: any) => status),
  ];
}

beforeAll(async () => {
  for (let run = 0; run < 2; run++) await done("run train.ts --quiet");
  await done("sign keygen -o release");
  await done("sign keygen -o other");
}, 120_000);
afterAll(() => shop[Symbol.asyncDispose]());

describe("flow sign", () => {
  test("a key that was given in place of its place is not said again", async () => {
    const key = fs.readFileSync(shop.file("release.pem"), "utf8");
    const middle = key.split("\n")[1]!;
    for (const flag of ["--key", "--key-env"]) {
      const { code, stdout, stderr } = await shop.flow(["sign", "Train/1", flag, key, "--debug"]);
      expect([code !== 0, stderr]).toEqual([true, expect.stringContaining("FLOW_SIGN_NO_KEY")]);
      expect((stdout + stderr).includes(middle)).toBe(false);
    }
  });

  test("keys are made once, the private one for its owner alone", async () => {
    expect(fs.statSync(shop.file("release.pem")).mode & 0o777).toBe(0o600);
    expect(fs.readFileSync(shop.file("release.pub"), "utf8")).toMatch(/^-----BEGIN PUBLIC KEY-----/);
    const before = fs.readFileSync(shop.file("release.pem"));
    expect(await refused("sign keygen -o release")).toEqual([2, "FLOW_SIGN_NO_KEY"]);
    expect(fs.readFileSync(shop.file("release.pem")).equals(before)).toBe(true);
    expect(await refused("sign keygen")).toEqual([2, "FLOW_CLI_MISSING_ARGUMENT"]);
  });

  test("signs with a file, which others cannot read, or with a variable; the key is nowhere in the store", async () => {
    fs.chmodSync(shop.file("release.pem"), 0o640);
    expect(await refused("sign Train/1 --key release.pem")).toEqual([2, "FLOW_SIGN_OPEN_KEY"]);
    fs.chmodSync(shop.file("release.pem"), 0o600);
    const { stdout } = await done("sign Train/1 --key release.pem");
    expect(stdout).toContain("Train/1 is signed");
    expect((await done("sign Train/1 --key release.pem")).stdout).toContain("was signed by this key on");
    const pem = fs.readFileSync(shop.file("other.pem"), "utf8");
    const signed = JSON.parse(
      (await done("sign Train/1 --key-env KEY --json", { KEY: pem.replaceAll("\n", "\\n") })).stdout,
    );
    expect(signed).toMatchObject({ run: "Train/1", isNew: true, verdict: "valid", actor: "ana" });
    for (const file of ["release.pem", "other.pem"])
      expect(shop.storeHolds(fs.readFileSync(shop.file(file), "utf8").split("\n")[1]!)).toBe(false);
    const shown = await done("show Train/1");
    expect(shown.stdout).toMatch(/signed\s+[0-9a-f]{16} \(.* by ana\), [0-9a-f]{16} \(/);
    expect(JSON.parse((await done("show Train/1 --json")).stdout).signatures).toHaveLength(2);
  });

  test("is refused without a key, with two, and with what is none", async () => {
    expect(await refused("sign Train/1")).toEqual([2, "FLOW_SIGN_NO_KEY"]);
    expect(await refused("sign Train/1 --key release.pem --key-env KEY")).toEqual([2, "FLOW_SIGN_NO_KEY"]);
    expect(await refused("sign Train/1 --key nothing.pem")).toEqual([2, "FLOW_SIGN_NO_KEY"]);
    expect(await refused("sign Train/1 --key-env NOT_SET")).toEqual([2, "FLOW_SIGN_NO_KEY"]);
    expect(await refused("sign Train/1 --key-env KEY", { KEY: "abc" })).toEqual([2, "FLOW_SIGN_BAD_KEY"]);
    expect(await refused("sign Train/9 --key release.pem")).toEqual([1, "FLOW_LINEAGE_NO_RUN"]);
    expect(await refused("validate Train/1 --public-key release.pem")).toEqual([2, "FLOW_SIGN_BAD_KEY"]);
  });

  test("what it signs is checked with the public key", async () => {
    expect(await v17("Train/1 --public-key release.pub")).toEqual([0, "pass"]);
    expect(await v17("Train/2 --public-key release.pub")).toEqual([1, "fail"]);
    expect((await flow("signatures Train/2 --public-key release.pub")).stderr).toContain("Train/2 is not signed");
    const listed = await done("signatures Train/1 --public-key release.pub");
    expect(listed.stdout).toMatch(/✓ [0-9a-f]{64} {2}valid\n.*\n\? [0-9a-f]{64} {2}by a key that was not given/);
  });

  test.skipIf(!hasOpenssl)("what it signs is checked by openssl, without Millrace", async () => {
    const [first] = (await done("signatures Train/1 --json")).lines;
    fs.writeFileSync(shop.file("statement"), first.statement);
    fs.writeFileSync(shop.file("signature"), Buffer.from(first.signature, "hex"));
    const openssl = (statement: string): string => {
      const words = `pkeyutl -verify -rawin -pubin -inkey release.pub -in ${statement} -sigfile signature`;
      try {
        return execFileSync("openssl", words.split(" "), { cwd: shop.folder, encoding: "utf8", stdio: "pipe" });
      } catch (error) {
        return String((error as { readonly stdout?: unknown }).stdout);
      }
    };
    expect(openssl("statement")).toContain("Verified Successfully");
    fs.appendFileSync(shop.file("statement"), " ");
    expect(openssl("statement")).toContain("Failure");
  });
});

test("a tag policy asks for a key: promotion with and without --check, a run with the tag, and the consumer", async () => {
  await done("tag policy set prod:* --exclusive --require-signature release.pub");
  expect((await done("tag policy list")).stdout).toMatch(/signed by [0-9a-f]{16}/);
  const bare = await flow("promote Train/2 --to prod:v1");
  expect([bare.code, bare.stderr]).toEqual([1, expect.stringContaining("Train/2 is not signed by the key")]);
  expect(await refused("promote Train/2 --to prod:v1 --check")).toEqual([1, "FLOW_TAG_CHECK_FAILED"]);
  const { stdout } = await done("run train.ts --tag prod:v1");
  expect(stdout).toContain("prod:v1 was not given");
  await done("promote Train/1 --to prod:v1 --check");
  await done("run predict.ts --model-tag prod:v1 --quiet");
  expect(await v17("Predict")).toEqual([0, "pass"]);
  expect(await v17("Train@prod:v1")).toEqual([0, "pass"]);
  await done("tag policy set prod:* --exclusive --require-signature other.pub");
  expect(await v17("Train@prod:v1")).toEqual([0, "pass"]);
  await done("sign keygen -o third");
  await done("tag policy set prod:* --exclusive --require-signature third.pub");
  expect(await v17("Predict")).toEqual([1, "fail"]);
});
