/** The bucket of a store: whether it answers, to these credentials. Nothing is written, and one key is read. */
import type { StoreChoice } from "../../config/find-store.ts";
import type { Check } from "./report.ts";

/** A look at a service that hangs must not take as long as a run would wait for it. */
const LIMITS = { connectMs: 3_000, idleMs: 5_000, callMs: 10_000 };

export function bucketChecks({ bucket }: StoreChoice): readonly Check[] {
  if (bucket === undefined) return [];
  const check = "bucket";
  return [
    {
      area: "store",
      check,
      async run() {
        // Loaded late: most stores are folders.
        const { openBucket } = await import("../open-bucket.ts");
        const store = await openBucket(bucket, { limits: LIMITS, retry: { tries: 2 } });
        try {
          const { keys } = await store.list({ prefix: "", limit: 1 });
          const found = `${bucket.text} answers${keys.length === 0 ? ", and holds nothing yet" : ""}`;
          return [{ check, status: "ok", found, facts: { bucket: bucket.text } }];
        } finally {
          await store.close();
        }
      },
    },
  ];
}
