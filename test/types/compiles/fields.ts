import {
  artifact,
  config,
  current,
  Flow,
  type Inputs,
  includeFile,
  join,
  param,
  step,
  type TaskFailure,
  type Upstream,
  upstream,
  z,
} from "@millrace/core";
import Train from "./train.ts";

/** Configs, files, late defaults, late tags, secrets. */
export class Fields extends Flow {
  readonly conf = config(z.object({ folds: z.number() }), { default: "config.json" });
  readonly prompt = includeFile({ encoding: "utf8", default: "prompt.txt" });
  readonly picture = includeFile();
  readonly folds = param(z.coerce.number(), { default: () => this.conf.folds, env: "FOLDS" });
  readonly token = param(z.string(), { secret: true });
  readonly channel = param(z.string().default("prod"));
  readonly model = upstream(Train, { tags: () => [`${this.channel}:v1`], maxAge: "7d" });
  size!: number;

  @step()
  start() {
    const text: string = this.prompt;
    const bytes: Uint8Array = this.picture;
    this.size = text.length + bytes.length + this.folds + this.token.length + this.model.run.id.length;
    if (current.index === undefined && !this.signal.aborted) this.size += current.random();
  }
}

/** Artifacts that do not stay have the type of their schema all the same. */
export class Terms extends Flow {
  features = artifact(z.array(z.number()), { transient: true });
  report = artifact(z.string(), { ttl: "30d" });
  both = artifact(z.string().optional(), { transient: false, ttl: "1.5h" });

  @step()
  start() {
    this.features = [1];
    this.report = String(this.features.length);
    this.both = undefined;
  }
}

/** An earlier run of its own flow, by class and by name. */
export class Self extends Flow {
  readonly previous = upstream(Self, { optional: true });
  readonly before = upstream(Self, { tags: ["x"] });
  readonly named: Upstream<Self> | undefined = upstream<Self>("Self", { optional: true });
  weight!: number;
  xs!: number[];

  @step({ next: "go", foreach: "xs" })
  start() {
    this.weight = (this.previous?.data.weight ?? 0) + this.before.data.weight;
  }

  @step({ next: "gather" })
  go(x: number) {
    this.weight = x;
  }

  @join({ next: "end" })
  gather(inputs: Inputs<Self>) {
    this.mergeArtifacts(inputs, { exclude: ["xs"] });
  }

  @step()
  end() {}
}

/** Behaviour is typed already; what is not carried out yet is refused when the flow is loaded. */
export class Behaviours extends Flow {
  readonly conf = param(z.object({ retries: z.number() }));
  failure?: TaskFailure;
  both!: string | TaskFailure | undefined;

  @step({ next: "end", retry: (flow) => flow.conf.retries, catch: "failure", timeout: "10m", isolate: "process" })
  start() {}

  @step({ retry: { times: 2, delay: "1.5s", factor: 2 }, catch: "both" })
  end() {
    this.both = this.failure?.message;
  }
}
