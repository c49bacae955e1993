// A flow that keeps one model of each library; runs.test.ts copies it into a project of its own.
import { Flow, type Inputs, join, step, upstream } from "@millrace/core";
import { type StoredModel, storeModel } from "@millrace/ml";
import { type TrainedModel, trainedModels } from "./trained-models.ts";

export class Keep extends Flow {
  names!: string[];
  name!: string;
  model!: StoredModel;
  models!: Record<string, StoredModel>;

  @step({ next: "train", foreach: "names" })
  start() {
    this.names = Object.keys(trainedModels);
  }

  @step({ next: "use" })
  async train(name: string) {
    this.name = name;
    const { codec, inputs, train }: TrainedModel = trainedModels[name]!;
    this.model = await storeModel<unknown>(await train(), {
      codec,
      ...(inputs === undefined ? {} : { probe: { inputs } }),
    });
  }

  @step({ next: "collect" })
  async use() {
    const model = await this.model.load(); // compares the predictions that are kept
    this.model.free(model);
  }

  @join({ next: "end" })
  collect(inputs: Inputs<Keep>) {
    this.models = Object.fromEntries(inputs.map((input) => [input.name, input.model]));
  }

  @step()
  end() {}
}

export class Use extends Flow {
  readonly source = upstream(Keep);
  /** Digests of the files, by the names of the models that could be loaded. */
  digests!: Record<string, string>;

  @step({ next: "end" })
  async start() {
    this.digests = {};
    for (const [name, stored] of Object.entries(this.source.data.models)) {
      stored.free(await stored.load());
      this.digests[name] = Object.values(stored.files)
        .map(({ sha256 }) => sha256)
        .join();
    }
  }

  @step()
  end() {}
}
