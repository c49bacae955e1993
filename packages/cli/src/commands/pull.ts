/** `flow pull SELECTOR [ARTIFACT …]`: artifacts out of the store as files, checked against their digests. */
import path from "node:path";
import { EXIT } from "../exit-code.ts";
import { byteSize, plain } from "../render/text.ts";
import { type Command, DEBUG_FLAG, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { choose, readOwner } from "./dump.ts";
import { selectRun, withStores } from "./with-stores.ts";

export const pullCommand: Command = {
  usage: "pull SELECTOR [ARTIFACT …] [-o PATH] [--digest DIGEST]",
  positionals: [
    {
      name: "SELECTOR",
      help: "A run (Train/17, Train@prod:v1) or a task, or either with .artifact behind it",
      required: true,
    },
    { name: "ARTIFACT", help: "Only these (default: all files and folders)", required: false, many: true },
  ],
  flags: [
    {
      name: "output",
      type: "text",
      short: "o",
      placeholder: "PATH",
      notEmpty: "a path",
      help: "Where to: a folder that is there or ends with /; else the path of the one artifact (default: here)",
    },
    { name: "digest", type: "text", placeholder: "DIGEST", help: "Fail unless the one artifact has this SHA-256" },
    { name: "force", type: "boolean", help: "Write over files that are there" },
    { ...JSON_FLAG, help: "Print one JSON object an artifact" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["pull Churn@prod:v1 model -o deploy/", "deploy/model.onnx"],
    ["pull Churn@prod:v1 model -o model.onnx --digest 9f86d0…", "exactly these bytes, or nothing and exit code 1"],
  ],
  notes:
    "A file appears as a whole or not at all, under the name that it was kept with. Values that are no files come as the bytes that were stored, named after the artifact.",
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const text = invocation.positionals[0]!;
      const { run, selector } = await selectRun(core, stores, text, context, {
        command: "flow pull",
        most: "artifact",
        successfulOnly: true,
      });
      const owner = await readOwner(core, stores, run, selector);
      const names = [
        ...(selector.artifact === undefined ? [] : [selector.artifact]),
        ...invocation.positionals.slice(1),
      ];
      const chosen = choose(core, owner, names, "pull");
      const wanted = names.length > 0 ? chosen : chosen.filter(({ codec }) => core.fileCodec(codec) !== undefined);
      if (wanted.length === 0)
        throw new core.FlowError("FLOW_CLIENT_NO_ARTIFACT", {
          message: `Cannot pull from ${owner.name}: none of its artifacts is a file or a folder`,
          hint:
            owner.artifacts.length === 0
              ? "It left nothing"
              : `Name one: flow pull ${plain(text)} ${owner.artifacts[0]!.name}`,
        });
      const pulls = core.planPull(wanted, {
        cwd: context.cwd,
        ...(invocation.text("output") === undefined ? {} : { output: invocation.text("output")! }),
        ...(invocation.text("digest") === undefined ? {} : { digest: invocation.text("digest")! }),
        isForced: invocation.isOn("force"),
        store: stores.folder,
        owner: owner.name,
      });
      for (const pull of pulls) {
        await core.pullArtifact(stores, owner.name, pull);
        const { name, codec, digest, sizeBytes } = pull.artifact;
        const shown = path.relative(context.cwd, pull.target) || ".";
        context.stdout.write(
          invocation.isOn("json")
            ? `${JSON.stringify({ of: owner.name, runId: run.id, name, codec, digest, sizeBytes, path: pull.target })}\n`
            : `${context.stdout.paint.green("✓")} ${plain(shown)}  ${byteSize(sizeBytes)}  ${context.stdout.paint.dim(digest)}\n`,
        );
      }
      return EXIT.done;
    }),
};
