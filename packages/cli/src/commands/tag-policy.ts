/** `flow tag policy set|list|remove`: what tags ask for before they move, kept in the store for everybody. */
import type { TagPolicy } from "@millrace/core/internal";
import type { Core } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { renderTable } from "../render/table.ts";
import { plain } from "../render/text.ts";
import { type Command, DEBUG_FLAG, type Invocation, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { actorOf, REASON_FLAG } from "./move-tag.ts";
import { withStores } from "./with-stores.ts";

const PATTERN = { name: "PATTERN", help: "A tag, with * for any characters: 'prod:*'", required: true } as const;

export const tagPolicySetCommand: Command = {
  usage: "tag policy set PATTERN [--exclusive] [--succeeded-only] [--protected] [--reason-required] [--allow USER …]",
  positionals: [PATTERN],
  flags: [
    {
      name: "exclusive",
      type: "boolean",
      help: "One run of a flow alone holds the tag: a move takes it from the other",
    },
    { name: "succeeded-only", type: "boolean", help: "Only runs that succeeded may hold it" },
    {
      name: "protected",
      type: "boolean",
      help: "Runs that hold it are never deleted; without --allow, moves need a reason",
    },
    { name: "reason-required", type: "boolean", help: "Each move says why" },
    { name: "allow", type: "list", placeholder: "USER", help: "Who may move it (default: everybody)" },
    {
      name: "require-check",
      type: "list",
      placeholder: "V02,V03",
      help: "Checks of flow validate that must not fail for the run that gets it",
    },
    {
      name: "require-signature",
      type: "list",
      placeholder: "FILE",
      help: "Public keys (PEM): one of them must have signed the run that gets it (repeatable)",
    },
    {
      name: "max-age",
      type: "text",
      placeholder: "7d",
      notEmpty: "a duration",
      help: "The greatest age of a run that gets it",
    },
    {
      name: "keep",
      type: "text",
      placeholder: "newest",
      choices: ["newest"],
      help: "Where several runs hold a tag that becomes exclusive: the newest successful one keeps it",
    },
    REASON_FLAG,
    JSON_FLAG,
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["tag policy set 'prod:*' --exclusive --succeeded-only", "production is one run, and one that works"],
    ["tag policy set 'prod:*' --exclusive --protected --reason-required --allow ana --require-check V02,V03", ""],
  ],
  notes:
    "A policy replaces the one of the same pattern. Where several match a tag, the strictest of each property counts. Every change is in the log of tags.",
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const policy = policyOf(core, invocation, context.cwd);
      const keepNewest = invocation.text("keep") === "newest";
      const by = actorOf(core, invocation, context, "flow tag policy");
      const events = await core.setTagPolicy(stores.metadata, { policy, keepNewest, ...by });
      const { stdout, stderr } = context;
      const against = await core.heldAgainst(stores, policy.pattern.normalize("NFC"), by.at);
      if (invocation.isOn("json")) {
        stdout.write(`${JSON.stringify({ policy, events, against })}\n`);
        return EXIT.done;
      }
      const taken = events.filter(({ verb }) => verb === "remove");
      const said = events.length === 0 ? "is as it was" : `now asks for ${describePolicy(core, policy)}`;
      stdout.write(`${stdout.paint.green("✓")} ${stdout.paint.bold(plain(policy.pattern))} ${said}\n`);
      const names = new core.RunNames(stores.metadata);
      for (const { tag, run } of taken)
        stdout.write(
          `  ${stdout.paint.dim("taken")} ${plain(tag)} ${stdout.paint.dim("from")} ${(await names.get(run!)).name}\n`,
        );
      for (const { run, tag, why } of against)
        stderr.write(
          `${stderr.paint.yellow("!")} ${plain(`${run} holds ${tag} and keeps it, and would not be given it: ${why.join("; ")}`)}\n`,
        );
      return EXIT.done;
    }),
};

export const tagPolicyListCommand: Command = {
  usage: "tag policy list",
  positionals: [],
  flags: [{ ...JSON_FLAG, help: "Print one JSON object a line" }, STORE_FLAG, DEBUG_FLAG],
  examples: [["tag policy list", ""]],
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const policies = await stores.metadata.tagPolicies();
      const { stdout } = context;
      if (invocation.isOn("json")) for (const policy of policies) stdout.write(`${JSON.stringify(policy)}\n`);
      else if (policies.length === 0) context.stderr.write("No policies: every tag is free\n");
      else
        stdout.write(
          renderTable(
            [
              { title: "PATTERN", shrinkTo: 10 },
              { title: "ASKS FOR", shrinkTo: 20 },
            ],
            policies.map((policy) => [plain(policy.pattern), plain(describePolicy(core, policy))]),
            { paint: stdout.paint, width: stdout.columns() },
          ),
        );
      return EXIT.done;
    }),
};

export const tagPolicyRemoveCommand: Command = {
  usage: "tag policy remove PATTERN [--reason TEXT]",
  positionals: [PATTERN],
  flags: [REASON_FLAG, JSON_FLAG, STORE_FLAG, DEBUG_FLAG],
  examples: [["tag policy remove 'prod:*'", "the tags stay where they are"]],
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const pattern = invocation.positionals[0]!.normalize("NFC");
      const by = actorOf(core, invocation, context, "flow tag policy");
      const events = await stores.metadata.removeTagPolicy(pattern, by);
      const { stdout } = context;
      if (invocation.isOn("json")) stdout.write(`${JSON.stringify({ pattern, events })}\n`);
      else stdout.write(`${stdout.paint.green("✓")} ${stdout.paint.bold(plain(pattern))} asks for nothing any more\n`);
      return EXIT.done;
    }),
};

function policyOf(core: Core, invocation: Invocation, cwd: string): TagPolicy {
  const age = invocation.text("max-age");
  const maxAgeMs = age === undefined ? undefined : core.parseDurationMs(age);
  const pattern = invocation.positionals[0]!;
  if (age !== undefined && maxAgeMs === undefined)
    throw new core.FlowError("FLOW_TAG_BAD_POLICY", {
      message: `Cannot set the policy "${pattern}": "${age}" is no age`,
      hint: "Write a duration such as 7d, 12h or 30m",
    });
  const words = (flag: string) =>
    invocation.list(flag).flatMap((text) =>
      text
        .split(",")
        .map((word) => word.trim())
        .filter((word) => word !== ""),
    );
  const signedBy = invocation
    .list("require-signature")
    .map((file) => core.publicKeyText(core.readPublicKeyFile(file, cwd)));
  const [allow, requireChecks] = [words("allow"), words("require-check")];
  return {
    pattern,
    ...(invocation.isOn("exclusive") ? { exclusive: true } : {}),
    ...(invocation.isOn("succeeded-only") ? { succeededOnly: true } : {}),
    ...(invocation.isOn("protected") ? { protected: true } : {}),
    ...(invocation.isOn("reason-required") ? { reasonRequired: true } : {}),
    ...(allow.length === 0 ? {} : { allow }),
    ...(requireChecks.length === 0 ? {} : { requireChecks }),
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
    ...(signedBy.length === 0 ? {} : { signedBy }),
  };
}

/** `exclusive, succeeded only, moved by ana or ben, checks V02, V03` */
export function describePolicy(core: Core, policy: TagPolicy): string {
  const { allow, requireChecks, maxAgeMs, signedBy } = policy;
  return [
    ...(policy.exclusive === true ? ["exclusive"] : []),
    ...(policy.succeededOnly === true ? ["succeeded only"] : []),
    ...(policy.protected === true ? ["protected"] : []),
    ...(policy.reasonRequired === true ? ["a reason"] : []),
    ...(allow === undefined ? [] : [`moved by ${allow.join(" or ")}`]),
    ...(requireChecks === undefined ? [] : [`checks ${requireChecks.join(", ")}`]),
    ...(signedBy === undefined
      ? []
      : [`signed by ${signedBy.map((key) => core.keyIdOfText(key).slice(0, 16)).join(" or ")}`]),
    ...(maxAgeMs === undefined ? [] : [`at most ${core.formatDuration(maxAgeMs)} old`]),
  ].join(", ");
}
