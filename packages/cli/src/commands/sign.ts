/** `flow sign`, `flow sign keygen` and `flow signatures`: who vouches for a run, by a key that no store holds. */
import type { Flag } from "../arguments/flag.ts";
import { type Core, loadCore } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { dateTime, plain } from "../render/text.ts";
import { type Command, type Context, DEBUG_FLAG, type Invocation, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { selectRun, withStores } from "./with-stores.ts";

const RUN = { name: "RUN", help: "The run: Train/17, Train@prod:v1", required: true } as const;

export const PUBLIC_KEY_FLAG: Flag = {
  name: "public-key",
  type: "list",
  placeholder: "FILE",
  help: "A public key that you trust, in PEM form; of several, one must have signed (repeatable)",
};

export const signCommand: Command = {
  usage: "sign RUN (--key FILE | --key-env NAME)",
  positionals: [RUN],
  flags: [
    {
      name: "key",
      type: "text",
      placeholder: "FILE",
      notEmpty: "a file",
      help: "The private key (Ed25519, PEM), which its owner alone can read",
    },
    {
      name: "key-env",
      type: "text",
      placeholder: "NAME",
      notEmpty: "a variable",
      help: "The environment variable that holds the private key instead; \\n stands for a line feed",
    },
    JSON_FLAG,
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["sign Train/17 --key release.pem", ""],
    ["sign Train@test:v1 --key-env RELEASE_KEY", "in CI: the key is never a file"],
  ],
  notes:
    "What is signed is which run it is, the digests over its records and everything that it left. The signature is kept in the store and goes along with flow export; the key goes nowhere. A run can be signed by several keys.",
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const key = signingKey(core, invocation, context);
      const { run } = await selectRun(core, stores, invocation.positionals[0]!, context, {
        command: "flow sign",
        most: "run",
        successfulOnly: true,
      });
      const { actor, host } = core.resolveConfig({ cwd: context.cwd, environment: context.environment });
      const by = { actor, host, at: new Date(context.now()) };
      const { signature, isNew } = await core.signRun(stores.metadata, run, key, by);
      const { stdout } = context;
      const name = core.runName(run);
      if (invocation.isOn("json")) {
        stdout.write(`${JSON.stringify({ run: name, runId: run.id, isNew, ...signature })}\n`);
        return EXIT.done;
      }
      const said = isNew ? "is signed" : `was signed by this key on ${dateTime(signature.at!)}`;
      stdout.write(`${stdout.paint.green("✓")} ${stdout.paint.bold(name)} ${said}\n`);
      stdout.write(`  ${stdout.paint.dim("key")} ${signature.keyId}\n`);
      stdout.write(`  ${stdout.paint.dim(`flow validate ${name} --public-key FILE`)}\n`);
      return EXIT.done;
    }),
};

function signingKey(core: Core, invocation: Invocation, context: Context): ReturnType<Core["readSigningKey"]> {
  const [file, variable] = [invocation.text("key"), invocation.text("key-env")];
  if ((file === undefined) === (variable === undefined))
    throw new core.FlowError("FLOW_SIGN_NO_KEY", {
      message: `Cannot sign: ${file === undefined ? "no key is named" : "two keys are named"}`,
      hint: "Name a file with --key, or a variable with --key-env; flow sign keygen -o NAME makes a key",
    });
  return core.readSigningKey(file === undefined ? { variable: variable! } : { file }, context);
}

export const signKeygenCommand: Command = {
  usage: "sign keygen -o NAME",
  positionals: [],
  flags: [
    {
      name: "output",
      short: "o",
      type: "text",
      placeholder: "NAME",
      notEmpty: "a name",
      help: "The keys become NAME.pem (private) and NAME.pub (public)",
    },
    JSON_FLAG,
    DEBUG_FLAG,
  ],
  examples: [["sign keygen -o release", "the same as openssl genpkey -algorithm ed25519 makes"]],
  run: async (invocation, context) => {
    const core = await loadCore();
    const name = invocation.text("output");
    if (name === undefined)
      throw new core.FlowError("FLOW_CLI_MISSING_ARGUMENT", {
        message: "Cannot make keys: it does not say what they are to be called",
        hint: "Name them, such as -o release",
      });
    const made = core.writeKeyPair(name, context.cwd);
    const { stdout } = context;
    if (invocation.isOn("json")) stdout.write(`${JSON.stringify(made)}\n`);
    else {
      stdout.write(
        `${stdout.paint.green("✓")} ${plain(made.privateFile)} signs: keep it to yourself, outside of every repository\n`,
      );
      stdout.write(`  ${plain(made.publicFile)} checks: give it to everybody who is to trust what it signs\n`);
      stdout.write(`  ${stdout.paint.dim("key")} ${made.keyId}\n`);
    }
    return EXIT.done;
  },
};

export const signaturesCommand: Command = {
  usage: "signatures RUN [--public-key FILE …]",
  positionals: [RUN],
  flags: [PUBLIC_KEY_FLAG, { ...JSON_FLAG, help: "Print one JSON object a signature" }, STORE_FLAG, DEBUG_FLAG],
  examples: [["signatures Train/17 --public-key release.pub", "which of them are by this key, and still fit"]],
  notes: "Without a public key nothing is known of who has signed. The exit code is 1 when a signature is bad.",
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const trusted = invocation.list("public-key").map((file) => core.readPublicKeyFile(file, context.cwd));
      const { run } = await selectRun(core, stores, invocation.positionals[0]!, context, {
        command: "flow signatures",
        most: "run",
      });
      const { stdout, stderr } = context;
      const { paint } = stdout;
      const signatures = await core.signaturesOf(stores.metadata, run, trusted);
      const isBad = signatures.some(({ verdict }) => verdict === "bad");
      if (signatures.length === 0) stderr.write(`${core.runName(run)} is not signed\n`);
      for (const signature of signatures) {
        const { keyId, at, actor, host, verdict, why } = signature;
        if (invocation.isOn("json")) {
          stdout.write(`${JSON.stringify({ run: core.runName(run), runId: run.id, ...signature })}\n`);
          continue;
        }
        const mark = { valid: paint.green("✓"), "unknown-key": paint.yellow("?"), bad: paint.red("✗") }[verdict];
        const said = { valid: "valid", "unknown-key": "by a key that was not given", bad: why ?? "bad" }[verdict];
        stdout.write(`${mark} ${keyId}  ${plain(said)}\n`);
        if (at !== undefined) stdout.write(`  ${paint.dim(plain(`${dateTime(at)} by ${actor} on ${host}`))}\n`);
      }
      return isBad ? EXIT.failed : EXIT.done;
    }),
};
