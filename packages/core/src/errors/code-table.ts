/**
 * All error codes with meaning, usual cause and remedy. `docs/errors.md` has a heading for each and a test holds table,
 * documents and suite together. Each room keeps its own part in `codes/`, so that a code stands near those who throw it.
 */
import { artifactCodes } from "./codes/artifact.ts";
import { cliCodes } from "./codes/cli.ts";
import { clientCodes } from "./codes/client.ts";
import { configCodes } from "./codes/config.ts";
import { copyCodes } from "./codes/copy.ts";
import { flowCodes } from "./codes/flow.ts";
import { gcCodes } from "./codes/gc.ts";
import { graphCodes } from "./codes/graph.ts";
import { lineageCodes } from "./codes/lineage.ts";
import { metadataCodes } from "./codes/metadata.ts";
import { packageCodes } from "./codes/package.ts";
import { publishCodes } from "./codes/publish.ts";
import { resumeCodes } from "./codes/resume.ts";
import { runnerCodes } from "./codes/runner.ts";
import { signCodes } from "./codes/sign.ts";
import { storageCodes } from "./codes/storage.ts";
import { tagCodes, webhookCodes } from "./codes/tag.ts";
import { testingCodes } from "./codes/testing.ts";
import { transferCodes } from "./codes/transfer.ts";

/** What is written about a code. */
export interface CodeEntry {
  readonly meaning: string;
  readonly cause: string;
  readonly remedy: string;
}

export const codeTable = {
  FLOW_INTERNAL: {
    meaning: "An invariant of Millrace itself is broken",
    cause: "A defect in Millrace",
    remedy: "Report it with the message and, if you can, the flow",
  },
  ...flowCodes,
  ...graphCodes,
  ...packageCodes,
  ...resumeCodes,
  ...runnerCodes,
  ...artifactCodes,
  ...storageCodes,
  ...metadataCodes,
  ...lineageCodes,
  ...configCodes,
  ...clientCodes,
  ...tagCodes,
  ...webhookCodes,
  ...signCodes,
  ...gcCodes,
  ...cliCodes,
  ...testingCodes,
  ...transferCodes,
  ...copyCodes,
  ...publishCodes,
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;

export type ErrorCode = keyof typeof codeTable;
