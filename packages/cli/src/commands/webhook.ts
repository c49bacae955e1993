/** `flow webhook …`: addresses that are told when a tag moves. */
import type { OpenStores, WebhookStatus } from "@millrace/core/internal";
import type { Core } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { renderTable } from "../render/table.ts";
import { count, dateTime, plain } from "../render/text.ts";
import { type Command, type Context, DEBUG_FLAG, type Invocation, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { actorOf } from "./move-tag.ts";
import { withStores } from "./with-stores.ts";

const ID = { name: "ID", help: "Its number, as flow webhook list has it", required: true } as const;

export const webhookAddCommand: Command = {
  usage: "webhook add URL [--tag PATTERN] [--secret-env NAME]",
  positionals: [{ name: "URL", help: "Where moves are posted to, as JSON", required: true }],
  flags: [
    {
      name: "tag",
      type: "text",
      placeholder: "PATTERN",
      notEmpty: "a pattern",
      help: "Only moves of such tags: 'prod:*'",
    },
    {
      name: "secret-env",
      type: "text",
      placeholder: "NAME",
      notEmpty: "a variable",
      help: "The environment variable that holds the secret of the signature; the secret itself is never stored",
    },
    JSON_FLAG,
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [["webhook add https://ci.example.com/hooks/model --tag 'prod:*' --secret-env HOOK_SECRET", ""]],
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const pattern = invocation.text("tag");
      const secretEnv = invocation.text("secret-env");
      const webhook = {
        url: invocation.positionals[0]!,
        ...(pattern === undefined ? {} : { pattern }),
        ...(secretEnv === undefined ? {} : { secretEnv }),
      };
      const id = await core.addWebhook(stores.metadata, webhook, actorOf(core, invocation, context, "flow webhook"));
      const { stdout } = context;
      if (invocation.isOn("json")) stdout.write(`${JSON.stringify({ id, ...webhook })}\n`);
      else
        stdout.write(
          `${stdout.paint.green("✓")} Webhook ${stdout.paint.bold(String(id))} is told of ${pattern === undefined ? "every move" : `moves of ${plain(pattern)}`} from now on\n  ${stdout.paint.dim(`flow webhook test ${id}`)}\n`,
        );
      return EXIT.done;
    }),
};

export const webhookListCommand: Command = {
  usage: "webhook list",
  positionals: [],
  flags: [{ ...JSON_FLAG, help: "Print one JSON object a line" }, STORE_FLAG, DEBUG_FLAG],
  examples: [["webhook list", ""]],
  run: (invocation, context) =>
    withStores(invocation, context, async ({ metadata }) => {
      const webhooks = await metadata.webhooks.list();
      const { stdout } = context;
      if (invocation.isOn("json")) for (const webhook of webhooks) stdout.write(`${JSON.stringify(webhook)}\n`);
      else if (webhooks.length === 0) context.stderr.write("No webhooks\n");
      else
        stdout.write(
          renderTable(
            [
              { title: "ID", align: "right" },
              { title: "URL", shrinkTo: 20 },
              { title: "TAGS" },
              { title: "SECRET" },
              { title: "LAST TOLD" },
              { title: "WAITING", align: "right" },
              { title: "ERROR", shrinkTo: 10 },
            ],
            webhooks.map((webhook) => [
              String(webhook.id),
              plain(webhook.url),
              plain(webhook.pattern ?? "all"),
              plain(webhook.secretEnv ?? ""),
              webhook.deliveredAt === undefined ? "" : dateTime(webhook.deliveredAt),
              webhook.waiting === 0 ? "" : String(webhook.waiting),
              plain(webhook.lastError ?? ""),
            ]),
            { paint: stdout.paint, width: stdout.columns() },
          ),
        );
      return EXIT.done;
    }),
};

export const webhookRemoveCommand: Command = {
  usage: "webhook remove ID",
  positionals: [ID],
  flags: [JSON_FLAG, STORE_FLAG, DEBUG_FLAG],
  examples: [["webhook remove 1", "with all that it was still to be told"]],
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const { id, waiting } = await named(core, stores, invocation);
      await stores.metadata.webhooks.remove(id);
      const { stdout } = context;
      if (invocation.isOn("json")) stdout.write(`${JSON.stringify({ id, dropped: waiting })}\n`);
      else
        stdout.write(
          `${stdout.paint.green("✓")} Webhook ${id} is removed${waiting === 0 ? "" : `, and ${count(waiting, "move")} that it was to be told with it`}\n`,
        );
      return EXIT.done;
    }),
};

export const webhookTestCommand: Command = {
  usage: "webhook test ID",
  positionals: [ID],
  flags: [JSON_FLAG, STORE_FLAG, DEBUG_FLAG],
  examples: [["webhook test 1", "one call, signed like all others"]],
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const webhook = await named(core, stores, invocation);
      await core.testWebhook(callerOf(stores, context), webhook);
      const { stdout } = context;
      if (invocation.isOn("json")) stdout.write(`${JSON.stringify({ id: webhook.id, ok: true })}\n`);
      else stdout.write(`${stdout.paint.green("✓")} Webhook ${webhook.id} answered\n`);
      return EXIT.done;
    }),
};

export const webhookDeliverCommand: Command = {
  usage: "webhook deliver",
  positionals: [],
  flags: [JSON_FLAG, STORE_FLAG, DEBUG_FLAG],
  examples: [["webhook deliver", "for a scheduler, or when a server is back"]],
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      await stores.metadata.webhooks.hasten(new Date(context.now()));
      const { delivered, failed } = await core.deliverWebhooks(callerOf(stores, context));
      const { stdout } = context;
      if (invocation.isOn("json")) stdout.write(`${JSON.stringify({ delivered, failed })}\n`);
      else {
        const mark = failed.length === 0 ? stdout.paint.green("✓") : stdout.paint.red("✗");
        stdout.write(`${mark} ${count(delivered, "move")} told, ${failed.length} not\n`);
        for (const { webhook, error } of failed) stdout.write(`  webhook ${webhook}: ${plain(error)}\n`);
      }
      return failed.length === 0 ? EXIT.done : EXIT.failed;
    }),
};

function callerOf({ metadata }: OpenStores, { environment, now }: Context) {
  return { metadata, environment, now };
}

async function named(core: Core, { metadata }: OpenStores, invocation: Invocation): Promise<WebhookStatus> {
  const text = invocation.positionals[0]!;
  const webhooks = await metadata.webhooks.list();
  const found = webhooks.find(({ id }) => String(id) === text);
  if (found !== undefined) return found;
  throw new core.FlowError("FLOW_WEBHOOK_UNKNOWN", {
    message: `Cannot find the webhook "${text}"`,
    hint: webhooks.length === 0 ? "There are none" : `There are ${webhooks.map(({ id }) => id).join(", ")}`,
  });
}
