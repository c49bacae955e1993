/** `flow store info`: where the store is and why there, what it can and what it has. */
import type { StoreInfo } from "@millrace/core/internal";
import { loadCore } from "../../core.ts";
import { EXIT } from "../../exit-code.ts";
import type { Paint } from "../../render/output.ts";
import { byteSize, count, harmless } from "../../render/text.ts";
import { type Command, DEBUG_FLAG, JSON_FLAG, STORE_FLAG } from "../command.ts";
import { storeOf } from "./verify.ts";

export const storeInfoCommand: Command = {
  usage: "store info",
  positionals: [],
  flags: [{ ...JSON_FLAG, help: "Print the answer as one JSON object" }, STORE_FLAG, DEBUG_FLAG],
  examples: [
    ["store info", ""],
    ["store info --store s3://team-data/models --json", ""],
  ],
  notes: "Changes nothing. Exit code 1: the bucket cannot be reached, or belongs to another store.",
  async run(invocation, context) {
    const core = await loadCore();
    const info = await core.storeInfo(storeOf(invocation, context));
    const { stdout } = context;
    stdout.write(invocation.isOn("json") ? `${JSON.stringify(info)}\n` : render(info, stdout.paint));
    const holds = info.bucket?.holds;
    const isLost = holds === "other" && info.records !== undefined;
    return holds === "unknown" || isLost ? EXIT.failed : EXIT.done;
  },
};

const FROM: Readonly<Record<StoreInfo["from"], string>> = {
  option: "--store",
  environment: "MILLRACE_STORE",
  file: "",
  found: "the nearest .millrace from here upwards",
  workspace: "the place for a new one, in the workspace's root",
};

const BACK_ENDS: Readonly<Record<StoreInfo["kind"], string>> = {
  folder: "folder",
  s3: "S3 (@aws-sdk/client-s3)",
  gs: "Google Cloud Storage (@google-cloud/storage)",
  azure: "Azure Blob Storage (@azure/storage-blob)",
};

function render(info: StoreInfo, paint: Paint): string {
  const { place, from, file, insteadOf, folder, kind, isReadonly, options, cache, records } = info;
  const rows: [string, string][] = [
    ["store", paint.bold(place)],
    ["named by", file ?? FROM[from]],
  ];
  if (insteadOf !== undefined)
    rows.push(["", paint.dim(`${insteadOf} is not used, because that file names another store`)]);
  rows.push(["back-end", BACK_ENDS[kind]]);
  for (const [name, value] of Object.entries(options ?? {})) rows.push([name, String(value)]);
  if (info.capabilities !== undefined) rows.push(["can", capabilityText(info.capabilities)]);
  if (kind !== "folder") rows.push(["records", `${folder}${isReadonly ? ", may only be read" : ""}`]);
  else if (isReadonly) rows.push(["", "may only be read"]);
  if (cache !== undefined)
    rows.push(["cache", `${byteSize(cache.bytes)} of at most ${byteSize(cache.limitBytes)}, in ${cache.folder}`]);
  if (records !== undefined) {
    rows.push(["id", records.storeId]);
    rows.push(["made", records.createdAt.slice(0, 10)]);
    rows.push(["runs", String(records.runs)]);
    rows.push(["values", `${records.values.count}, ${byteSize(records.values.bytes)}`]);
    rows.push(["database", `${byteSize(records.sizeBytes)}, schema ${records.schemaVersion}`]);
    if (info.spool !== undefined && info.spool.files > 0)
      rows.push([
        "waiting",
        `${count(info.spool.files, "value")}, ${byteSize(info.spool.bytes)}, not in the bucket yet`,
      ]);
    if ((records.untold ?? 0) > 0)
      rows.push(["untold", `the bucket is still to be told of ${count(records.untold!, "change")}`]);
  }
  const lines = rows.map(([name, value]) => `  ${paint.dim(name.padEnd(10))}${value}`);
  return `${[...lines, ...stateLines(info, paint)].join("\n")}\n`;
}

function capabilityText(can: NonNullable<StoreInfo["capabilities"]>): string {
  return [
    can.createOnce === "atomic" ? "create once" : "look before writing",
    ...(can.compareAndSet ? ["compare and set"] : []),
    ...(can.rangeReads ? ["ranges"] : []),
    ...(can.multipart ? ["streams"] : []),
  ].join(", ");
}

/** How it stands, and what to do next. */
function stateLines({ bucket, records }: StoreInfo, paint: Paint): readonly string[] {
  const isThere = records !== undefined;
  switch (bucket?.holds) {
    case undefined:
      return isThere
        ? ["  flow store verify"]
        : ["  nothing is there yet; the first run makes it", "  flow store init"];
    case "this":
      return [`${paint.green("✓")} The bucket has this store`, "  flow store verify"];
    case "none":
      return [
        isThere
          ? `${paint.yellow("!")} The bucket has no store yet: the next command that writes makes it`
          : "  nothing is there yet; the first run makes it",
        "  flow store init",
      ];
    case "other":
      return isThere
        ? [`${paint.red("✗")} The bucket has another store, with the id ${bucket.storeId}`, "  choose another prefix"]
        : [
            `${paint.yellow("!")} The bucket has a store, and its records are not on this machine`,
            "  flow store rebuild",
          ];
    case "unknown":
      return [
        `${paint.red("✗")} ${harmless(bucket.error!.message, { colours: false })}`,
        ...(bucket.error!.hint === undefined ? [] : [`  ${harmless(bucket.error!.hint, { colours: false })}`]),
        `  ${paint.dim(bucket.error!.code)}`,
      ];
  }
}
