import { Flow, step } from "@millrace/core";
import { runFlow } from "@millrace/core/testing";
import type { StoredModel } from "../codecs/stored-model.ts";

/**
 * A model as a later step of a flow finds it, and what comes out of using it there.
 *
 * The flow runs in memory; values go from step to step as they would in a store: encoded, hashed and decoded.
 */
export async function keptByFlow<R>(
  stored: StoredModel,
  use: (model: unknown) => Promise<R>,
): Promise<{ readonly kept: StoredModel; readonly actual: R }> {
  let actual: { readonly value: R } | undefined;

  class KeepModel extends Flow {
    model!: StoredModel;

    @step({ next: "end" })
    start() {
      this.model = stored;
    }

    @step()
    async end() {
      const model = await this.model.load();
      actual = { value: await use(model) };
      this.model.free(model);
    }
  }

  const { data } = await runFlow(KeepModel);
  return { kept: data.model, actual: actual!.value };
}
